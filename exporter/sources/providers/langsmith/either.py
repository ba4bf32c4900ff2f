"""Two APIs that tell the same: LangSmith brings new ones and takes the old ones away."""

from collections.abc import Callable
from typing import TypeVar

from exporter.errors import RefusedRequestError

T = TypeVar("T")
_NOT_THERE = (404, 405, 410)


class Either:
    """Asks the first; once that is not there, and the second is, the second."""

    def __init__(self) -> None:
        self._has_first = True

    def ask(self, first: Callable[[], T], second: Callable[[], T]) -> T:
        """Return what one of them answers; raises as they do."""
        if not self._has_first:
            return second()
        try:
            return first()
        except RefusedRequestError as error:
            if error.status not in _NOT_THERE:
                raise
            refusal = error
        try:
            found = second()
        except RefusedRequestError as error:
            raise (refusal if error.status in _NOT_THERE else error) from None
        self._has_first = False
        return found
