"""Access tokens: fetched when one is needed, kept until shortly before their end."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, TypeVar

import msgspec

from exporter.errors import RefusedRequestError

T = TypeVar("T")
_EARLY_SECONDS = 120
_REST = timedelta(minutes=15)


class Token(msgspec.Struct):
    """What OAuth answers."""

    access_token: str
    expires_in: Annotated[int, msgspec.Meta(ge=0)]


class Bearer:
    """Asks with a token; with a new one where the service no longer takes the one at hand."""

    def __init__(
        self, fetch: Callable[[], Token], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._headers: Mapping[str, str] = {}
        self._old_at = 0.0

    def ask(self, question: Callable[[Mapping[str, str]], T]) -> T:
        """Return what the question, put with these headers, answers.

        Raises:
            RefusedRequestError: no token for these credentials, as a 401; or as the question does.
        """
        is_new = not self._headers or self._clock() >= self._old_at
        if is_new:
            self._renew()
        try:
            return question(self._headers)
        except RefusedRequestError as error:
            if error.status != 401:
                raise
            refused, self._headers = error, {}
        if is_new:
            raise refused
        self._renew()
        return question(self._headers)

    def _renew(self) -> None:
        asked_at = self._clock()
        try:
            token = self._fetch()
        except RefusedRequestError as error:
            if error.status in (400, 401, 403):  # OAuth says 400 where it means the credentials
                raise RefusedRequestError(
                    str(error), reason="key_refused", status=401, rest=_REST
                ) from None
            raise
        self._headers = {"Authorization": f"Bearer {token.access_token}"}
        self._old_at = asked_at + token.expires_in - _EARLY_SECONDS
