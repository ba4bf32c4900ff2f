"""Records that a test makes up, and a sink that writes them without any source."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from exporter.interfaces import Batch
from exporter.records import (
    Execution,
    ExecutionStatus,
    LlmCall,
    Operation,
    Record,
    Step,
    StepKind,
)
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink

BEGUN = datetime(2026, 3, 1, 12, tzinfo=UTC)
_STATUSES = ("success", "success", "success", "error", "crashed", "canceled", "running", "timeout")


def execution(number: int, **fields: Any) -> Execution:
    """An execution that succeeded in two seconds."""
    created_at = fields.pop("created_at", BEGUN + timedelta(minutes=number))
    made_up: dict[str, Any] = {
        "source": "n8n",
        "execution_id": str(number),
        "created_at": created_at,
        "workflow_id": "w1",
        "workflow": "Invoices",
        "status": ExecutionStatus.SUCCESS,
        "started_at": created_at,
        "finished_at": created_at + timedelta(seconds=2),
    }
    return Execution(**made_up | fields)


def step(of: Execution, step_id: str = "Node#0", **fields: Any) -> Step:
    """A step of an execution."""
    made_up: dict[str, Any] = {
        "source": of.source,
        "execution_id": of.execution_id,
        "created_at": of.created_at,
        "step_id": step_id,
        "name": step_id,
        "kind": StepKind.OTHER,
        "status": ExecutionStatus.SUCCESS,
    }
    return Step(**made_up | fields)


def call(of: Execution, call_id: str = "Model#0", **fields: Any) -> LlmCall:
    """A model call of an execution."""
    made_up: dict[str, Any] = {
        "source": of.source,
        "execution_id": of.execution_id,
        "created_at": of.created_at,
        "call_id": call_id,
        "provider": "openai",
        "model": "gpt-4o",
        "operation": Operation.CHAT,
        "status": ExecutionStatus.SUCCESS,
        "workflow_id": of.workflow_id,
        "workflow": of.workflow,
        "started_at": of.created_at,
        "latency_seconds": 1.5,
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": Decimal("0.0005"),
        "customer": of.customer,
    }
    return LlmCall(**made_up | fields)


def history(seed: int, hours: int, executions: int) -> list[Record]:
    """Executions with calls, spread over hours, some open, some without times."""
    chance = Random(seed)  # no secret
    records: list[Record] = []
    for number in range(executions):
        created_at = BEGUN + timedelta(microseconds=chance.randrange(hours * 3_600_000_000))
        status = ExecutionStatus(chance.choice(_STATUSES))
        seconds = chance.lognormvariate(0, 3)
        made = execution(
            number,
            created_at=created_at,
            status=status,
            workflow_id=(name := chance.choice("abc")),
            workflow=name.upper(),
            finished_at=created_at + timedelta(seconds=seconds) if status.is_final else None,
            items_total=chance.choice((None, 10, 100)),
            items_failed=chance.choice((None, 0, 3)),
            customer=chance.choice((None, "acme", "globex")),
        )
        records.append(made)
        records += [
            call(
                made,
                f"Model#{index}",
                started_at=created_at + timedelta(seconds=chance.uniform(0, 7200)),
                model=chance.choice(("gpt-4o", "gpt-4o-mini")),
                status=chance.choice((ExecutionStatus.SUCCESS, ExecutionStatus.ERROR)),
                latency_seconds=chance.choice((None, chance.lognormvariate(0, 2))),
                input_tokens=chance.choice((None, chance.randrange(10_000))),
                tokens_estimated=chance.random() < 0.2,
                cost_usd=chance.choice((None, Decimal(chance.randrange(10**6)) / 10**9)),
            )
            for index in range(chance.randrange(3))
        ]
    return records


@contextmanager
def sink(database_url: str) -> Iterator[TimescaleSink]:
    """An open sink."""
    opened = TimescaleSink(database_url)
    opened.open()
    try:
        yield opened
    finally:
        opened.close()


def write(database_url: str, records: Sequence[Record], *, source: str = "n8n") -> None:
    """Write records as one batch of a source."""
    with sink(database_url) as opened, opened.session(source) as session:
        assert session is not None
        session.write(
            session.position(),
            Batch(records=records, cursor={}),
            Bookkeeper(LabelCaps(500)),
            datetime.now(UTC),
        )
