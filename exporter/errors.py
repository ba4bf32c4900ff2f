"""Errors, sorted by what happens next: stop, later, give up on this source."""


class ExporterError(Exception):
    """Something this program understands went wrong; the message names place and remedy."""


class ConfigurationError(ExporterError):
    """The configuration is wrong: stop, a person must change it."""


class TransientError(ExporterError):
    """The source may answer later: try again at the next interval."""


class SourceError(ExporterError):
    """This source cannot be read until somebody acts; the other sources go on.

    `reason` is a short word from a closed set, fit for a metric label.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SinkError(ExporterError):
    """Our own database did not take the rows: nothing was written, no cursor moved, try again."""


class RefusedRowsError(SinkError):
    """It never will: some of the rows cannot be stored as they are."""
