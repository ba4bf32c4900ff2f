"""The only door to the web: it sets limits to what may come back, and sorts what went wrong."""

import logging
import os
import ssl
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Retry, Url, parse_url
from urllib3.util.retry import RequestHistory

from exporter import __version__
from exporter.errors import ConfigurationError, SourceError, TransientError
from exporter.http_answer import Place, TryAgainError, decoded, refusal, unpacked
from exporter.http_connection import CONNECT_SECONDS, Connector, in_words
from exporter.log import redact

T = TypeVar("T")

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its lines quote addresses with their query

DEADLINE_SECONDS = 30.0
"""The longest that one try may take where nobody says otherwise."""
_ERROR_BYTES = 65_536
_TRIES = 3
_LONGEST_PLACE = 200
# Begun with one failure: else the second try would not wait.
_BACK_OFF = Retry(
    total=None,
    backoff_factor=0.5,
    backoff_jitter=1,
    history=(RequestHistory(None, None, None, None, None),),
)
_PORTS = {"http": 80, "https": 443}
_OURS = {
    "User-Agent": f"ai-workflow-exporter/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
}


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    params: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes | None = None
    kind: Mapping[str, str] = field(default_factory=dict)
    fields: Sequence[str] = ()

    def place(self, address: Url) -> Place:
        """Return what messages say of it: no query, and nothing that the service repeats of us."""
        query = [*self.params, *parse_qsl(address.query or "")]
        words = [word for value in self.headers.values() for word in (value, *value.split()[-1:])]
        name = redact(f"{self.method} {address.netloc}{address.path or '/'}")
        return Place(name[:_LONGEST_PLACE], [*words, *(value for _, value in query), *self.fields])


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: unpacked, not decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    place: Place


class HttpClient:
    """Asks one web service, mostly for JSON, for one source: one question at a time."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] = {},
        allow_private: bool = False,
        deadline_seconds: float | None = None,
        max_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """Prepare; nothing is sent yet.

        `headers` go with every request. `deadline_seconds` bounds one try, from connecting to the
        last byte; `max_bytes` the unpacked body.

        Raises:
            ConfigurationError: the address, or a proxy or CA bundle of the environment, cannot be.
        """
        self._base = _checked_base(base_url)
        self._headers = headers
        self._max_bytes = max_bytes
        deadline_seconds = DEADLINE_SECONDS if deadline_seconds is None else deadline_seconds
        self._connector = Connector(allow_private=allow_private, deadline_seconds=deadline_seconds)
        self._adapter = _Adapter(self._connector.pools())
        self._limits = (CONNECT_SECONDS, deadline_seconds + 1)  # the deadline comes before it
        self._proxies = _proxies(self._base.url)
        self._authorities = _authorities()
        self._decoders: dict[object, msgspec.json.Decoder[Any]] = {}

    def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        into: type[T],
        headers: Mapping[str, str] = {},
    ) -> T:
        """Return what `path` answers, as `into`; it may be a full URL of the same origin.

        Raises:
            TransientError: no answer now, or one that is no JSON; after its `rest`, if it has one.
            SourceError: not until somebody acts: key, address, certificate, or a changed answer.
        """
        question = _Question("GET", params, {**self._headers, **headers})
        return self._answered(path, question, into)

    def post(
        self,
        path: str,
        body: object,
        params: Sequence[tuple[str, str]] = (),
        *,
        into: type[T],
        headers: Mapping[str, str] = {},
    ) -> T:
        """Ask with a JSON body; for questions only, since it may be sent again."""
        kind = {"Content-Type": "application/json"}
        headers = {**self._headers, **headers}
        question = _Question("POST", params, headers, msgspec.json.encode(body), kind)
        return self._answered(path, question, into)

    def post_form(self, path: str, fields: Mapping[str, str], *, into: type[T]) -> T:
        """Ask with a form, as OAuth wants it for tokens."""
        body = urlencode(fields, errors="replace").encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        question = _Question("POST", (), self._headers, body, kind, list(fields.values()))
        return self._answered(path, question, into)

    def send(self, path: str, body: bytes, *, content_type: str) -> Reply:
        """Hand a body over as it is; it may be sent again where the answer was lost.

        Raises:
            TransientError, SourceError: as of `get`; RefusedRequestError has the status.
        """
        kind = {"Content-Type": content_type}
        return self._reply(path, _Question("POST", (), self._headers, body, kind))

    def ask(
        self, path: str, *, accept: str, headers: Mapping[str, str] = {}, redirects: bool = False
    ) -> Reply:
        """Return what `path` answers, of whatever type, and 304 to a conditional request.

        With `redirects`, where it leads elsewhere is an answer too; nobody goes there.

        Raises:
            TransientError, SourceError: as of `get`.
        """
        headers = {**self._headers, "Accept": accept, **headers}
        passed = range(300, 400) if redirects else (304,)
        return self._reply(path, _Question("GET", (), headers), passed)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._adapter.close()

    def _answered(self, path: str, question: _Question, into: type[T]) -> T:
        reply = self._reply(path, question)
        if into not in self._decoders:
            self._decoders[into] = msgspec.json.Decoder(into)
        answer: T = decoded(reply.body, reply.headers, self._decoders[into], reply.place)
        return answer

    def _reply(self, path: str, question: _Question, passed: Container[int] = ()) -> Reply:
        address = self._address(path)
        place = question.place(address)
        request = _prepared(address, question, place)
        back_off = _BACK_OFF
        while True:
            try:
                return self._asked(request, place, passed)
            except TryAgainError as error:
                back_off = back_off.increment(error=error)
                if error.rest is not None or len(back_off.history) > _TRIES:
                    raise
            back_off.sleep()

    def _asked(
        self, request: requests.PreparedRequest, place: Place, passed: Container[int]
    ) -> Reply:
        """Send once; return what is no refusal."""
        try:
            # Not through a session: it reads ~/.netrc, keeps cookies, and fetches the body of a
            # redirect unasked.
            with (
                self._connector.deadline(str(place)),
                self._adapter.send(
                    request,
                    stream=True,
                    timeout=self._limits,
                    verify=self._authorities,
                    proxies=self._proxies,
                ) as response,
            ):
                status, headers = response.status_code, response.headers
                if 200 <= status <= 299:
                    body = unpacked(response.raw, place, self._max_bytes)
                    return Reply(status, headers, body, place)
                if status in passed:
                    return Reply(status, headers, b"", place)
                words = b""
                with suppress(HTTPError, OSError, ValueError, TransientError):
                    words = unpacked(response.raw, place, _ERROR_BYTES)
                raise refusal(status, headers, words, place)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            problem = _broken(error, place)
        raise problem  # out here it carries no error of the library, which quotes the address

    def _address(self, path: str) -> Url:
        """Return where a path leads; a link out of an answer must stay where the answer is from."""
        is_full = path.startswith("//") or "://" in path.partition("?")[0]
        base = self._base.url.rstrip("/")
        try:
            address = parse_url(path if is_full else f"{base}/{path.lstrip('/')}" if path else base)
        except LocationParseError:
            raise TransientError(f"{self._base.netloc} names a next page that cannot be") from None
        if _origin(address) != _origin(self._base):
            raise TransientError(f"{self._base.netloc} names a next page on another host or port")
        return address


class _Adapter(HTTPAdapter):
    """The library's adapter, with connections of ours, also to a proxy."""

    def __init__(self, pools: dict[str, type[HTTPConnectionPool]]) -> None:
        self._pools = pools
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def close(self) -> None:
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 — it is no mapping
                manager.pools[key].close()  # the library leaves that to the garbage collector
        super().close()


def _prepared(address: Url, question: _Question, place: Place) -> requests.PreparedRequest:
    for name, value in question.headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise SourceError(
                f"{place}: header {name} cannot carry its value; is the key whole, on one line?",
                reason="key_refused",
            )
    try:
        return requests.Request(
            question.method,
            address.url,
            headers={**_OURS, **question.kind, **question.headers},
            params=urlencode(question.params, errors="replace"),
            data=question.body,
        ).prepare()
    except (requests.RequestException, ValueError):
        raise SourceError(f"{place}: this address cannot be asked", reason="url") from None


def _broken(error: Exception, place: Place) -> TryAgainError | SourceError:
    """Sort what happened below HTTP; only texts of the system are quoted, no peer wrote them."""
    cause: BaseException = error
    while isinstance(cause, requests.RequestException | HTTPError) and cause.__context__:
        cause = cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SourceError(
            f"{place}: its certificate does not verify: {cause.verify_message}",
            reason="certificate_refused",
        )
    if isinstance(cause, requests.exceptions.InvalidURL):
        return SourceError(f"{place}: its address or proxy cannot be", reason="url")
    return TryAgainError(f"{place}: {in_words(cause)}")


def _origin(address: Url) -> tuple[object, ...]:
    port = address.port or _PORTS.get(address.scheme or "")
    return address.scheme, address.host, port, address.auth


def _checked_base(text: str) -> Url:
    with suppress(LocationParseError):
        base = parse_url(text)
        if base.scheme in _PORTS and base.host and not (base.auth or base.query or base.fragment):
            return base
    raise ConfigurationError(
        "the address of a web service is written http(s)://host/path, without user or query"
    )


def _proxies(url: str) -> dict[str, str]:
    proxies = get_environ_proxies(url)
    if (select_proxy(url, proxies) or "").lower().startswith("socks"):
        raise ConfigurationError("the environment names a SOCKS proxy; only HTTP proxies work")
    return proxies


def _authorities() -> str | bool:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise ConfigurationError(f"{name} names {path}, which is not there")
            return path
    return True
