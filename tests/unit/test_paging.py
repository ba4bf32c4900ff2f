"""Paging: every page once and in order, or an error before the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import TransientError
from exporter.sources.polling.paging import pages, required

# Page number → the token of the next one.
Chain = list[str | None]


class Provider:
    """Tells which tokens it was asked with; each leads one page on, whatever it is."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.asked: list[str | None] = []

    def ask(self, token: str | None) -> str | None:
        self.asked.append(token)
        return self.chain[len(self.asked) - 1]


def next_token(page: str | None) -> str | None:
    return page


@given(st.lists(st.text(max_size=5), unique=True, max_size=20))
def test_every_page_is_read_once_and_in_order(tokens: list[str]) -> None:
    provider = Provider([*tokens, None])

    found = list(pages(provider.ask, next_token))

    assert [*tokens, None] == found
    assert [None, *tokens] == provider.asked


@given(st.lists(st.text(max_size=5), unique=True, min_size=1, max_size=20), st.data())
def test_a_token_that_comes_twice_ends_it(tokens: list[str], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(tokens))
    provider = Provider([*tokens, again, None])

    with pytest.raises(TransientError, match="circles"):
        list(pages(provider.ask, next_token))

    assert len(tokens) + 1 == len(provider.asked), "a circle is not walked twice"


def test_an_empty_token_is_one_like_any_other() -> None:
    provider = Provider(["", None])

    assert ["", None] == list(pages(provider.ask, next_token))


@pytest.mark.parametrize("most", [1, 5])
def test_pages_without_end_are_given_up(most: int) -> None:
    provider = Provider([str(number) for number in range(most + 1)])

    with pytest.raises(TransientError, match=f"within {most} pages"):
        list(pages(provider.ask, next_token, most=most))

    assert most == len(provider.asked)


@pytest.mark.parametrize("most", [1, 5])
def test_exactly_as_many_pages_as_are_allowed_are_read(most: int) -> None:
    chain: Chain = [*[str(number) for number in range(most - 1)], None]

    assert chain == list(pages(Provider(chain).ask, next_token, most=most))


def test_a_page_that_fails_fails_the_whole() -> None:
    def ask(token: str | None) -> str:
        if token == "b":
            raise TransientError("the connection broke")
        return "a" if token is None else "b"

    reading = pages(ask, next_token)

    assert ["a", "b"] == [next(reading), next(reading)]
    with pytest.raises(TransientError, match="the connection broke"):
        next(reading)


def test_a_page_is_asked_for_when_it_is_wanted() -> None:
    """Who reads may write each page before the next one comes."""
    provider = Provider(["a", "b", None])

    reading = pages(provider.ask, next_token)
    next(reading)

    assert [None] == provider.asked


@pytest.mark.parametrize("token", ["t", "", None])
def test_what_says_that_it_is_the_last_is_the_last(token: str | None) -> None:
    assert required(token, has_more=False) is None


def test_where_there_is_more_a_token_leads_to_it() -> None:
    assert "t" == required("t", has_more=True)


@pytest.mark.parametrize("token", ["", None])
def test_more_without_a_way_to_it_is_an_error(token: str | None) -> None:
    with pytest.raises(TransientError, match="names no next page"):
        required(token, has_more=True)
