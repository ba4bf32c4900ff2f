"""Words that programs use for where a run stands and what a step or call does → ours."""

from exporter.records import ExecutionStatus, Operation, StepKind

_SYNONYMS = {
    ExecutionStatus.QUEUED: ("new", "pending", "scheduled", "submitted", "enqueued"),
    ExecutionStatus.RUNNING: ("started", "start", "in_progress", "processing", "active"),
    ExecutionStatus.WAITING: ("paused", "suspended", "blocked", "on_hold"),
    ExecutionStatus.SUCCESS: (
        *("succeeded", "successful", "ok", "okay", "passed", "pass"),
        *("completed", "complete", "done", "finished"),
    ),
    ExecutionStatus.ERROR: ("errored", "failed", "failure", "fail", "exception"),
    ExecutionStatus.TIMEOUT: ("timed_out", "timedout", "time_out", "deadline_exceeded"),
    ExecutionStatus.CANCELED: ("cancelled", "cancel", "aborted", "stopped", "skipped"),
    ExecutionStatus.CRASHED: ("crash", "killed", "lost", "oom_killed"),
}
_STATUS = {
    word: status for status, synonyms in _SYNONYMS.items() for word in (status.value, *synonyms)
}
_OPERATIONS = {
    **{operation.value: operation for operation in Operation},
    **dict.fromkeys(("completion", "text_completion", "generate_content"), Operation.CHAT),
    **dict.fromkeys(("embedding", "embed"), Operation.EMBEDDINGS),
    **dict.fromkeys(("images", "image_generation"), Operation.IMAGE),
    **dict.fromkeys(("speech", "transcription", "tts", "stt"), Operation.AUDIO),
}
_KINDS = {kind.value: kind for kind in StepKind}
KNOWN_STATUSES = ", ".join(_SYNONYMS)
KNOWN_KINDS = ", ".join(StepKind)
KNOWN_OPERATIONS = ", ".join(Operation)


def _plain(said: str) -> str:
    return said.strip().lower().replace("-", "_").replace(" ", "_")


def status_named(said: object) -> ExecutionStatus:
    """Return the status that a word means.

    Raises:
        ValueError: it is none that is known.
    """
    if isinstance(said, str) and (status := _STATUS.get(_plain(said))) is not None:
        return status
    quoted = f"{said[:40]!r} is" if isinstance(said, str) else "it is"
    raise ValueError(f"{quoted} no status that is known; known: {KNOWN_STATUSES}")


def kind_named(said: str | None) -> StepKind | None:
    """Return the kind of step that a word means; None where it is none that is known."""
    return None if said is None else _KINDS.get(_plain(said))


def operation_named(said: str | None) -> Operation | None:
    """Return the operation that a word means; None where it is none that is known."""
    return None if said is None else _OPERATIONS.get(_plain(said))
