"""A Google service account: its key file, and the tokens it is good for.

https://developers.google.com/identity/protocols/oauth2/service-account
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import msgspec

from exporter.errors import ConfigurationError
from exporter.http_client import HttpClient
from exporter.sources.polling.bearer import Token

_SCOPE = "https://www.googleapis.com/auth/monitoring.read"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE = timedelta(hours=1)


class KeyFile(msgspec.Struct):
    """What of the file is used."""

    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


def read_key_file(content: str) -> KeyFile:
    """Read the file's content.

    Raises:
        ConfigurationError: it is no key of a service account; its content is not quoted.
    """
    try:
        return msgspec.json.decode(content, type=KeyFile)
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise ConfigurationError(
            "service_account: is no key file of a Google service account (JSON with private_key, "
            "client_email, project_id)"
        ) from None


class ServiceAccount:
    """Gets tokens; each is asked for with a note that the account's key has signed."""

    def __init__(
        self,
        key_file: KeyFile,
        http: HttpClient,
        token_url: str,
        # Google wants the time of the asking itself, not of the poll.
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            ConfigurationError: PyJWT is not installed, or the private key is none.
        """
        self._key_file = key_file
        self._http = http
        self._token_url = token_url
        self._clock = clock
        try:
            jwt: Any = import_module("jwt")
            import_module("cryptography")
        except ImportError:
            raise ConfigurationError(
                "a source of kind vertex needs PyJWT: pip install 'ai-workflow-exporter[vertex]'"
            ) from None
        self._sign = jwt.encode
        try:
            self._signed()
        except (jwt.PyJWTError, ValueError, TypeError):
            raise ConfigurationError(
                "service_account: its private_key cannot be used; is the file whole?"
            ) from None

    def token(self) -> Token:
        """Ask for a token."""
        return self._http.post_form(
            "", {"grant_type": _GRANT, "assertion": self._signed()}, into=Token
        )

    def _signed(self) -> str:
        now = self._clock()
        claims = {
            "iss": self._key_file.client_email,
            "scope": _SCOPE,
            "aud": self._token_url,
            "iat": now,
            "exp": now + _LIFE,
        }
        headers = {"kid": self._key_file.private_key_id}
        signed: str = self._sign(
            claims, self._key_file.private_key, algorithm="RS256", headers=headers
        )
        return signed
