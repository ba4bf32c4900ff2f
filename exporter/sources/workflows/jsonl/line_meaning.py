"""What a line of a log says: an execution, an outcome, or something else."""

from datetime import datetime

from exporter.pushed.reading import NotReadableError, decoded, execution_of, outcome_of
from exporter.pushed.said import SaidExecution, SaidOutcome
from exporter.pushed.times import said_at

_OUR_KEYS = (b'"execution_id"', b'"outcome"')


class NoTimeError(NotReadableError):
    """A line that does not say when; the time at which it is read says nothing of that."""


def meaning_of(
    content: bytes, now: datetime, open_since: dict[str, datetime]
) -> SaidExecution | SaidOutcome | None:
    """Return what a line says of a run; None for a line of something else.

    Of a run in `open_since` it is known when it was created.

    Raises:
        NotReadableError: it is meant to say something of a run, and cannot be understood.
    """
    content = content.strip(b"\0 \t\r\xef\xbb\xbf")
    if not content.startswith(b"{") or not any(key in content for key in _OUR_KEYS):
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise NotReadableError(f"is not UTF-8 at byte {error.start}") from None
    document = decoded(text)
    if not isinstance(document, dict):
        return None
    if "execution_id" in document and "status" in document:
        execution = execution_of(document, now)
        if said_at(execution) is None and execution.execution_id not in open_since:
            raise NoTimeError("tells no time; add started_at, finished_at or timestamp")
        return execution
    if "outcome" in document and "value" in document:
        outcome = outcome_of(document, now)
        if outcome.at is None:
            raise NoTimeError("tells no time; add at or timestamp")
        return outcome
    return None
