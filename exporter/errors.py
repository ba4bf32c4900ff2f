"""Errors, sorted by what happens next: stop, later, give up on this source or request."""

from datetime import timedelta


class ExporterError(Exception):
    """Something this program understands went wrong; the message names place and remedy."""


class ConfigurationError(ExporterError):
    """The configuration is wrong: stop, a person must change it."""


class TransientError(ExporterError):
    """The source may answer later: try again at the next interval, or after the `rest` it asked."""

    def __init__(self, message: str, *, rest: timedelta | None = None) -> None:
        super().__init__(message)
        self.rest = rest


class SourceError(ExporterError):
    """This source cannot be read until somebody acts; the other sources go on.

    `reason` is a short word from a closed set, fit for a metric label; `rest` is how long not to
    ask again, where asking itself does harm.
    """

    def __init__(self, message: str, *, reason: str, rest: timedelta | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.rest = rest


class RefusedRequestError(SourceError):
    """A web service said no to this one request; `status` is its HTTP status."""

    def __init__(
        self, message: str, *, reason: str, status: int, rest: timedelta | None = None
    ) -> None:
        super().__init__(message, reason=reason, rest=rest)
        self.status = status


class SinkError(ExporterError):
    """Our own database did not take the rows: nothing was written, no cursor moved, try again."""


class RefusedRowsError(SinkError):
    """It never will: some of the rows cannot be stored as they are."""


class BadRequestError(ExporterError):
    """What was sent to us is wrong, and nothing of it was kept: its sender must change it.

    `status` is the HTTP status that says so.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class NotNowError(ExporterError):
    """What was sent to us is not stored: its sender should send it again after `rest`.

    `status` is 429 where the sender is too fast, 503 where we cannot.
    """

    def __init__(
        self, message: str, *, status: int = 503, rest: timedelta = timedelta(seconds=5)
    ) -> None:
        super().__init__(message)
        self.status = status
        self.rest = rest
