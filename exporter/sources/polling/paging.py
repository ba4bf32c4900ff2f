"""Page after page until the last, or an error: half an answer is none."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from exporter.errors import TransientError

MOST_PAGES = 2000
Page = TypeVar("Page")


def pages(
    ask: Callable[[str | None], Page],
    next_token: Callable[[Page], str | None],
    *,
    most: int = MOST_PAGES,
) -> Iterator[Page]:
    """Yield each page; `ask` gets the token of the one before, None at first.

    `next_token` returns None after the last page.

    Raises:
        TransientError: a token came twice, or the pages never end.
    """
    seen: set[str] = set()
    token: str | None = None
    for _ in range(most):
        page = ask(token)
        yield page
        token = next_token(page)
        if token is None:
            return
        if token in seen:
            raise TransientError("the provider's paging goes in circles: a page token came twice")
        seen.add(token)
    raise TransientError(f"the provider's paging does not end within {most} pages")


def required(token: str | None, *, has_more: bool) -> str | None:
    """Return the next token of an answer that says whether there is more.

    Raises:
        TransientError: there is more, and no way to it.
    """
    if not has_more:
        return None
    if not token:
        raise TransientError("the provider says there is more, and names no next page")
    return token
