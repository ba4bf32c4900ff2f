"""The door to AWS: boto3 with limits, its errors sorted into ours."""

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from exporter import http_client
from exporter.errors import ConfigurationError, SourceError, TransientError
from exporter.http_answer import Place
from exporter.http_connection import private_addresses
from exporter.sources.providers.bedrock.refusals import broken, meaning, refusal

logging.getLogger("botocore").setLevel(logging.WARNING)  # its debug lines hold whole requests

_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who asks, and where; without keys, AWS's own chain looks for some."""

    access_key_id: str | None = None
    secret_access_key: str | None = None
    base_url: str | None = None
    allow_private: bool = False


class Door:
    """Asks one service of one region."""

    def __init__(self, account: Account, service: str, region: str) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            ConfigurationError: boto3 is not installed, or cannot work with its own settings.
        """
        try:
            boto3, config = import_module("boto3"), import_module("botocore.config")
        except ImportError:
            raise ConfigurationError(
                "a source of kind bedrock needs boto3: pip install 'ai-workflow-exporter[bedrock]'"
            ) from None
        self._errors = import_module("botocore.exceptions")
        self._misfit = import_module("botocore.parsers").ResponseParserError
        self._proxies = import_module("botocore.utils").get_environ_proxies
        self._account = account
        keys = (account.access_key_id, account.secret_access_key)
        self._place = Place(f"{service} in {region}", [key for key in keys if key])
        try:
            session = boto3.session.Session(
                aws_access_key_id=account.access_key_id,
                aws_secret_access_key=account.secret_access_key,
                region_name=region,
            )
            self._client = session.client(
                service,
                endpoint_url=account.base_url,
                config=config.Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=min(_READ_SECONDS, http_client.DEADLINE_SECONDS),
                    retries={"mode": "standard", "total_max_attempts": _TRIES},
                ),
            )
            self._client.meta.events.register_first("needs-retry", self._look)
        except (self._errors.BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"{self._place}: {self._place.quoted(str(error))}") from None

    def ask(self, operation: str, told: str, **parameters: object) -> dict[str, Any]:
        """Return what the operation, named as boto3 names it, answers; `told` is always in it.

        Raises:
            TransientError: no answer now; after its `rest`, if it has one.
            SourceError: not until somebody acts.
        """
        self._refuse_private()
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**parameters)
        except self._errors.ClientError as error:
            raise refusal(error.response, self._place) from None
        except self._errors.BotoCoreError as error:
            raise broken(error, self._place) from None
        except (
            # What its parsers do with a body of another kind.
            self._misfit,
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            answer = {}
        if told not in answer:  # boto3 takes what is no JSON, or half of it, for an empty answer
            raise TransientError(f"{self._place} answered with something else")
        return answer

    def _look(self, response: tuple[Any, Any] | None, attempts: int, **_: object) -> float | None:
        """Say whether to ask again, and after how many seconds; boto3 decides the other cases.

        It would ask a service that throttles us again at once, and takes half an answer for one.
        """
        if response is None:
            return None
        http, parsed = response
        if meaning(parsed) == 429:
            raise refusal(parsed, self._place)
        told = http.headers.get("content-length", "")
        is_whole = not told.isdecimal() or int(told) == len(http.content)
        return None if is_whole or attempts >= _TRIES else 0.5 * attempts

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _refuse_private(self) -> None:
        """Look at the address that was configured; AWS's own may well be private ones of a VPC."""
        url = self._account.base_url
        if url is None or self._account.allow_private or self._proxies(url):
            return
        parts = urlsplit(url)
        try:
            found = private_addresses(parts.hostname or "", parts.port or 443)
        except OSError:
            raise TransientError(f"{self._place}: the name cannot be resolved") from None
        if found:
            raise SourceError(
                f"{self._place}: {parts.hostname} has the private address {found[0]}; "
                "set allow_private: true for this source if that is meant",
                reason="private_address",
            )
