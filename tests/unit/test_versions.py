"""Of a row that a log tells more than once, the newest version counts."""

from datetime import UTC, datetime

from exporter.sources.polling.versions import newest

Row = tuple[str, int | None, str]


def told(*pages: list[Row]) -> list[list[str]]:
    """The values that are left of (key, minute of the change, value)."""
    found = newest(
        pages,
        lambda row: row[0],
        lambda row: None if row[1] is None else datetime(2026, 11, 3, 10, row[1], tzinfo=UTC),
    )
    return [[row[2] for row in page] for page in found]


def test_within_a_page_the_newer_one_is_left() -> None:
    assert [["new", "b"]] == told([("a", 2, "new"), ("a", 1, "old"), ("b", 1, "b")])
    assert [["new"]] == told([("a", 1, "old"), ("a", 2, "new")])


def test_an_older_one_on_a_later_page_does_not_come_after_the_newer() -> None:
    assert [["new"], []] == told([("a", 2, "new")], [("a", 1, "old")])


def test_a_newer_one_on_a_later_page_replaces_what_was_told() -> None:
    assert [["old"], ["new"]] == told([("a", 1, "old")], [("a", 2, "new")])


def test_without_a_time_the_later_one_counts() -> None:
    assert [["later"]] == told([("a", None, "first"), ("a", None, "later")])
