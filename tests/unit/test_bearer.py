"""Access tokens: one for many questions, a new one in time, and never a storm."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from exporter.errors import RefusedRequestError
from exporter.sources.polling.bearer import Bearer, Token


class Login:
    """Gives tokens that are numbered, and a clock of seconds."""

    def __init__(self, *, status: int | None = None) -> None:
        self.given = 0
        self.seconds = 0.0
        self.status = status

    def token(self) -> Token:
        if self.status is not None:
            raise refused(self.status)
        self.given += 1
        return Token(access_token=f"token-{self.given}", expires_in=3600)

    def bearer(self) -> Bearer:
        return Bearer(self.token, clock=lambda: self.seconds)


def refused(status: int) -> RefusedRequestError:
    return RefusedRequestError(f"answered with {status}", reason="request_refused", status=status)


def seen(headers: Mapping[str, str]) -> str:
    return headers["Authorization"]


def test_one_token_is_kept_until_shortly_before_its_end() -> None:
    login = Login()
    bearer = login.bearer()
    found = []
    for login.seconds in (0, 60, 3479, 3480, 3600):
        found.append(bearer.ask(seen))

    assert ["Bearer token-1"] * 3 + ["Bearer token-2"] * 2 == found


def test_a_token_that_is_refused_before_its_end_is_replaced_once() -> None:
    login = Login()
    bearer = login.bearer()
    bearer.ask(seen)
    tried: list[str] = []

    def ask(headers: Mapping[str, str]) -> str:
        tried.append(seen(headers))
        if tried[-1] == "Bearer token-1":
            raise refused(401)
        return tried[-1]

    assert "Bearer token-2" == bearer.ask(ask)
    assert ["Bearer token-1", "Bearer token-2"] == tried


def test_a_new_token_that_is_refused_is_not_replaced() -> None:
    login = Login()

    def ask(headers: Mapping[str, str]) -> str:
        raise refused(401)

    with pytest.raises(RefusedRequestError):
        login.bearer().ask(ask)
    assert 1 == login.given


def test_another_refusal_keeps_the_token() -> None:
    login = Login()
    bearer = login.bearer()

    def ask(headers: Mapping[str, str]) -> str:
        raise refused(403)

    for _ in range(2):
        with pytest.raises(RefusedRequestError):
            bearer.ask(ask)
    assert 1 == login.given


@pytest.mark.parametrize("status", [400, 401, 403])
def test_credentials_that_get_no_token_are_a_refused_key(status: int) -> None:
    with pytest.raises(RefusedRequestError) as caught:
        Login(status=status).bearer().ask(seen)

    error = caught.value
    assert ("key_refused", 401, timedelta(minutes=15)) == (error.reason, error.status, error.rest)


def test_a_login_address_that_is_not_there_is_no_refused_key() -> None:
    with pytest.raises(RefusedRequestError) as caught:
        Login(status=404).bearer().ask(seen)

    assert "request_refused" == caught.value.reason
