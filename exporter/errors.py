"""Errors, sorted by what happens next: stop, later, give up on this source."""

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
