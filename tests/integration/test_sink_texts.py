"""Whatever a source says can be written: a batch never fails for what a record holds."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from exporter.records import ExecutionStatus, Record
from tests.conftest import connect
from tests.sources.by_hand import differences
from tests.sources.made_up import BEGUN, call, execution, step, write

ODD = (
    "nul\0inside",
    "half \ud83d of a pair",
    "half \udc00",
    "\x01\x1f\x7f",
    "'; DROP TABLE x; --",
    "\\N",
    "😀",
)
LONG = "".join(chr(0x4E00 + number % 20_000) for number in range(5000))


def _rows(url: str, query: str) -> list[dict[str, Any]]:
    with connect(url) as connection:
        return connection.execute(query.encode()).fetchall()  # type: ignore[return-value]


@pytest.mark.parametrize("text", ODD)
def test_a_text_of_any_characters_is_stored(database_url: str, text: str) -> None:
    made = execution(
        1,
        workflow=text,
        error_message=text,
        error_type=text,
        customer=text,
        tags=(text,),
        attributes={text: [text, {text: text}]},
    )
    write(
        database_url,
        [
            made,
            step(made, error_message=text, attributes={"a": text}),
            call(made, prompt=text, model=text),
        ],
    )

    kept = text.replace("\0", "").encode(errors="replace").decode()
    row = _rows(database_url, "SELECT * FROM executions")[0]
    assert (kept, kept, [kept], {kept: [kept, {kept: kept}]}) == (
        row["error_message"],
        row["customer"],
        row["tags"],
        row["attributes"],
    )
    assert [{"prompt": kept}] == _rows(database_url, "SELECT prompt FROM llm_content")
    assert {} == differences(database_url)


def test_a_text_of_any_characters_may_be_written_again(database_url: str) -> None:
    made = execution(1, workflow="a\0b", error_message="\ud83d", attributes={"\0k": "\udc00"})
    records = [made, step(made, "a\0#0"), call(made, "b\ud83d#0", model="\0")]
    write(database_url, records)
    before = _rows(database_url, "SELECT xmin::text, ctid::text FROM executions")
    write(database_url, records)

    assert before == _rows(database_url, "SELECT xmin::text, ctid::text FROM executions")
    assert {} == differences(database_url)


@pytest.mark.parametrize(
    ("first", "second"), [("a", "a\0"), ("a?", "a\ud83d"), ("\ud83d", "\udc00")]
)
def test_two_keys_that_become_one_when_stored_do_not_stop_the_batch(
    database_url: str, first: str, second: str
) -> None:
    made = execution(1)
    write(
        database_url,
        [made, step(made, first), step(made, second), call(made, first), call(made, second)],
    )

    assert [{"n": 1}] == _rows(database_url, "SELECT count(*) AS n FROM executions")
    assert {} == differences(database_url)


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(lambda: [execution(1, workflow=LONG)], id="workflow"),
        pytest.param(lambda: [execution(1, workflow_id=LONG)], id="workflow_id"),
        pytest.param(
            lambda: [execution(1, status=ExecutionStatus.ERROR, error_type=LONG)], id="error_type"
        ),
        pytest.param(lambda: [execution(1), step(execution(1), LONG)], id="step_id"),
        pytest.param(lambda: [execution(1), call(execution(1), LONG)], id="call_id"),
        pytest.param(lambda: [execution(1), call(execution(1), model=LONG)], id="model"),
        pytest.param(lambda: [execution(1), call(execution(1), provider=LONG)], id="provider"),
        pytest.param(lambda: [execution(1), call(execution(1), customer=LONG)], id="customer"),
        pytest.param(lambda: [execution(1, error_message=LONG * 200)], id="error_message"),
        pytest.param(lambda: [execution(1), call(execution(1), prompt=LONG * 200)], id="prompt"),
    ],
)
def test_a_very_long_text_does_not_stop_the_batch(one_database_url: str, records: Any) -> None:
    write(one_database_url, [*records(), execution(2)])

    assert [{"n": 2}] == _rows(one_database_url, "SELECT count(*) AS n FROM executions")


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(
            lambda: [execution(1, finished_at=datetime(9999, 12, 31, tzinfo=UTC))], id="end of time"
        ),
        pytest.param(
            lambda: [execution(1, created_at=datetime(1, 1, 1, tzinfo=UTC))], id="begin of time"
        ),
        pytest.param(
            lambda: [
                execution(
                    1, created_at=datetime(9999, 12, 31, 23, 59, tzinfo=UTC), finished_at=None
                )
            ],
            id="created at the end of time",
        ),
        pytest.param(
            lambda: [execution(1, finished_at=BEGUN - timedelta(days=400))], id="ended before begun"
        ),
        pytest.param(
            lambda: [execution(1), call(execution(1), latency_seconds=1e300)], id="latency"
        ),
        pytest.param(
            lambda: [execution(1), call(execution(1), latency_seconds=float("inf"))], id="infinite"
        ),
        pytest.param(
            lambda: [execution(1), call(execution(1), latency_seconds=float("nan"))], id="nan"
        ),
        pytest.param(
            lambda: [execution(1), call(execution(1), latency_seconds=-5.0)], id="negative latency"
        ),
        pytest.param(lambda: [execution(1), call(execution(1), input_tokens=2**63)], id="tokens"),
        pytest.param(
            lambda: [
                execution(1),
                call(execution(1), "a", input_tokens=2**62),
                call(execution(1), "b", input_tokens=2**62),
            ],
            id="sum of tokens",
        ),
        pytest.param(
            lambda: [execution(1), call(execution(1), cost_usd=Decimal("1e-40"))], id="tiny cost"
        ),
        pytest.param(
            lambda: [execution(1), call(execution(1), cost_usd=Decimal("1e400"))], id="huge cost"
        ),
        pytest.param(lambda: [execution(1, items_total=2**63)], id="items"),
        pytest.param(lambda: [execution(1), step(execution(1), attempt=2**31)], id="attempt"),
        pytest.param(
            lambda: [execution(1, attributes={"n": 10**400, "f": float("inf")})], id="attributes"
        ),
    ],
)
def test_a_hostile_number_does_not_stop_the_batch(one_database_url: str, records: Any) -> None:
    """What no source of ours says yet is listed too: a new source shall not have to know it."""
    made: list[Record] = [*records(), execution(2)]
    write(one_database_url, made)

    assert [{"n": 2}] == _rows(one_database_url, "SELECT count(*) AS n FROM executions")
    assert {} == differences(one_database_url)
