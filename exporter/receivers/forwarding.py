"""Sends received spans on to other OTLP endpoints: at least once, oldest first."""

import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from exporter.errors import ExporterError, RefusedRequestError, SourceError, TransientError
from exporter.http_client import HttpClient, Reply
from exporter.interfaces import ForwardingStore
from exporter.records import Forwarding
from exporter.settings import ForwardTarget

log = logging.getLogger(__name__)

_AT_A_TIME = 4  # bodies in memory
_LONGEST_RUN = timedelta(seconds=10)  # who stops the exporter waits for it
_PAUSE = timedelta(seconds=5)  # before a target that did not answer is asked again
_LONGEST_PAUSE = timedelta(minutes=5)
# What says that this body will never be taken, and another may.
_OF_THE_BODY = (400, 413, 415, 422)


def forwardings_of(
    targets: Sequence[ForwardTarget], source: str, body: bytes, content_type: str, now: datetime
) -> list[Forwarding]:
    """Return what is to be sent on of a received body, one for each target."""
    return [
        Forwarding(
            source=source,
            target=target.name,
            forwarding_id=uuid.uuid4().hex,
            received_at=now,
            content_type=content_type,
            body=body,
        )
        for target in targets
    ]


class Gauge(Protocol):
    """Shows a number of the exporter itself."""

    def __call__(self, metric: str, value: float, **labels: str) -> None:
        """Show it."""


class Sending(Protocol):
    """What sends a body."""

    def send(self, path: str, body: bytes, *, content_type: str) -> Reply:
        """Send it, or raise TransientError or SourceError."""


class Forwarder:
    """Sends on what waits for one target."""

    def __init__(
        self,
        target: ForwardTarget,
        store: ForwardingStore,
        show: Gauge,
        *,
        client: Sending | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            ConfigurationError: the address cannot be.
        """
        self.target = target
        self._store = store
        self._show = show
        self._clock = clock
        # An endpoint of one's own network is what most people send spans to.
        self._client: Sending = client or HttpClient(
            target.url,
            headers={name: value.get_secret_value() for name, value in target.headers.items()},
            allow_private=True,
        )
        self._counts = dict.fromkeys(("sent", "refused", "expired"), 0)
        self._failures = 0
        self._quiet_until: datetime | None = None
        for outcome in self._counts:
            self._count(outcome, 0)

    def run(self) -> None:
        """Send until nothing waits, the target does not answer, or it has taken long enough.

        Raises:
            SinkError: our database does not answer.
        """
        now = self._clock()
        if self._quiet_until is not None and now < self._quiet_until:
            self._show_lag(self._store.forwardings(self.target.name, 1), now)
            return
        while waiting := self._store.forwardings(self.target.name, _AT_A_TIME):
            self._show_lag(waiting, now)
            for one in waiting:
                if not self._is_done(one, now):
                    return
                self._store.forwarded([one])
            if self._clock() - now >= _LONGEST_RUN:
                return
        self._show_lag([], now)

    def _is_done(self, one: Forwarding, now: datetime) -> bool:
        """Send one body; False: the target does not take it now."""
        if now - one.received_at > self.target.keep:
            self._drop(one, "expired", "it waited for longer than `keep`")
            return True
        try:
            self._client.send("", one.body, content_type=one.content_type)
        except RefusedRequestError as error:
            if error.status in _OF_THE_BODY:
                self._drop(one, "refused", str(error))
                return True
            self._rest(now, error.rest, error)
        except (TransientError, SourceError) as error:
            self._rest(now, error.rest, error)
        else:
            self._failures = 0
            self._quiet_until = None
            self._count("sent", 1)
            return True
        return False

    def _rest(self, now: datetime, asked: timedelta | None, error: ExporterError) -> None:
        self._failures += 1
        own = min(_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
        self._quiet_until = now + (asked or own)
        log.warning("forwarding.waits", extra={"target": self.target.name, "detail": str(error)})

    def _drop(self, one: Forwarding, outcome: str, reason: str) -> None:
        self._count(outcome, 1)
        log.warning(
            "forwarding.dropped",
            extra={
                "target": self.target.name,
                "received_at": one.received_at.isoformat(),
                "detail": reason,
            },
        )

    def _count(self, outcome: str, count: int) -> None:
        self._counts[outcome] += count
        self._show(
            "aiwf_forwarded_bodies_total",
            self._counts[outcome],
            target=self.target.name,
            outcome=outcome,
        )

    def _show_lag(self, waiting: Sequence[Forwarding], now: datetime) -> None:
        lag = max((now - waiting[0].received_at).total_seconds(), 0) if waiting else 0
        self._show("aiwf_forwarding_lag_seconds", lag, target=self.target.name)
