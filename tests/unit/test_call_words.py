"""What a call was made for, out of its metadata and tags."""

import pytest

from exporter.sources.polling.call_words import CallDimensions, CallPurpose

DIMENSIONS = CallDimensions()


def test_metadata_says_what_and_for_whom() -> None:
    said = {"workflow": "triage", "customer": "acme", "project": "p", "team": "care", "other": "x"}

    assert CallPurpose(
        workflow="triage", customer="acme", project="p", team="care"
    ) == DIMENSIONS.purpose(said)


def test_upper_and_lower_case_are_the_same() -> None:
    dimensions = CallDimensions(workflow=("Helicone-Session-Name",))

    assert "triage" == dimensions.purpose({"HELICONE-session-name": "triage"}).workflow


def test_the_first_key_found_wins() -> None:
    dimensions = CallDimensions(customer=("tenant", "customer"))

    assert "b" == dimensions.purpose({"customer": "a", "tenant": "b"}).customer
    assert "a" == dimensions.purpose({"customer": "a"}).customer


def test_what_is_said_first_wins() -> None:
    assert "metadata" == DIMENSIONS.purpose({"team": "metadata"}, ["team:tag"]).team
    assert "one" == DIMENSIONS.purpose(["team:one", "team:two"]).team


@pytest.mark.parametrize(
    ("tag", "customer"),
    [
        ("customer:acme", "acme"),
        ("customer=acme", "acme"),
        ("Customer: acme ", "acme"),
        ("customer:https://acme.example", "https://acme.example"),
        ("customer=a:b", "a:b"),
        ("customer", None),
        ("customer:", None),
        (":acme", None),
        (7, None),
    ],
)
def test_tags_are_keys_and_values_where_they_are_written_so(
    tag: object, customer: str | None
) -> None:
    assert customer == DIMENSIONS.purpose([tag]).customer


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", None), ("  ", None), (None, None), ({"a": 1}, None), (["x"], None), (7, "7")],
)
def test_only_words_and_whole_numbers_are_names(value: object, expected: str | None) -> None:
    assert expected == DIMENSIONS.purpose({"project": value}).project


@pytest.mark.parametrize("said", [None, "customer:acme", 7])
def test_what_is_neither_mapping_nor_list_says_nothing(said: object) -> None:
    assert CallPurpose() == DIMENSIONS.purpose(said)


def test_all_keys_are_told_in_lower_case() -> None:
    dimensions = CallDimensions(workflow=("Flow",), customer=("flow", "Kunde"))

    assert ["flow", "kunde", "project", "team"] == dimensions.keys
