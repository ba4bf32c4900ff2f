"""Logs of calls in tests: sources made without an exporter, and what an exporter stored of them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.records import LlmCall
from exporter.sources import KINDS
from exporter.sources.polling.call_log import CallLogSource
from exporter.sources.polling.spans import Span
from tests.conftest import connect
from tests.sources.by_hand import Clock

END = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 18
SINCE = END - timedelta(days=DAYS)
HISTORY = "7d"
# What is compared of a stored call; seconds to the millisecond.
_COLUMNS = (
    "execution_id, created_at, provider, model, requested_model, operation, status, error_type, "
    "workflow_id, workflow, "
    "round(latency_seconds::numeric, 3)::float8 AS latency_seconds, "
    "round(time_to_first_token_seconds::numeric, 3)::float8 AS time_to_first_token_seconds, "
    "input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, "
    "cost_usd, cost_source, customer, project, team"
)


def at_the_beginning() -> Clock:
    """A clock after the first days of the simulated calls; the rest is lived through."""
    clock = Clock()
    clock.now = END - timedelta(days=11, hours=-1)
    return clock


def made(kind: str, environ: Mapping[str, str], **settings: object) -> CallLogSource:
    """Make a source of the kind without an exporter around it."""
    known = KINDS[kind].settings.model_validate(
        {"name": kind, "kind": kind, **settings}, context={"environ": environ}
    )
    source: Any = KINDS[kind].source(known)
    assert isinstance(source, CallLogSource)
    return source


def read(source: CallLogSource, from_at: datetime, until_at: datetime) -> list[LlmCall]:
    """Read the calls that began in a span, as one poll would."""
    return [call for page in source.read(Span(from_at, until_at)) for call in page]


def stored_calls(url: str) -> dict[str, dict[str, object]]:
    """Every stored call by its id; each id stands once."""
    with connect(url) as connection:
        rows = connection.execute(f"SELECT call_id, {_COLUMNS} FROM llm_calls").fetchall()
    found = {str(row.pop("call_id")): row for row in rows}
    assert len(rows) == len(found), "a call is stored twice"
    return found


def truth(
    book: CallBook, now: datetime, told: Callable[[LoggedCall], Mapping[str, object] | None]
) -> dict[str, dict[str, object]]:
    """The calls that are over, by id, as the tool tells them; None: it does not tell that one."""
    found: dict[str, dict[str, object]] = {}
    for call in book.over(now, SINCE, END):
        row = told(call)
        if row is not None:
            found[call.call_id] = {**common(call), **row}
    return found


def common(call: LoggedCall) -> dict[str, object]:
    """What every tool tells of a call."""
    first = call.first_token_at
    counted = call.error is None
    return {
        "execution_id": call.trace_id,
        "created_at": call.started_at,
        "provider": call.provider,
        "model": call.model,
        "requested_model": None,
        "operation": "embeddings" if call.is_embedding else "chat",
        "status": "success" if counted else "error",
        "error_type": None,
        "workflow_id": call.workflow,
        "workflow": call.workflow,
        "latency_seconds": call.latency.total_seconds(),
        "time_to_first_token_seconds": (first - call.started_at).total_seconds() if first else None,
        "input_tokens": call.input_tokens if counted else None,
        "cached_input_tokens": call.cached_input_tokens if counted else None,
        "cache_write_tokens": call.cache_write_tokens if counted else None,
        "output_tokens": call.output_tokens if counted else None,
        "reasoning_tokens": call.reasoning_tokens if counted else None,
        "cost_usd": call.cost_usd,
        "cost_source": None if call.cost_usd is None else "reported",
        "customer": call.customer,
        "project": call.project,
        "team": call.team,
    }


def assert_same(
    expected: Mapping[str, Mapping[str, object]], found: Mapping[str, Mapping[str, object]]
) -> None:
    """Demand the same calls, each equal in all that is compared."""
    assert expected.keys() == found.keys()
    for call_id, row in expected.items():
        assert row == found[call_id], call_id
