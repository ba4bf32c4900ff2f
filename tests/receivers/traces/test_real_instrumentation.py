"""Packages from PyPI call simulated providers: what they send adds up to the providers' logs."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.receivers.traces.conclusion import concluded
from exporter.records import (
    CostSource,
    Execution,
    ExecutionStatus,
    LlmCall,
    Operation,
    Record,
    Step,
    StepKind,
)
from exporter.settings import TracesSettings
from tests.receivers.traces import provider_log
from tests.receivers.traces.dialects import DIALECTS, Dialect
from tests.receivers.traces.instrumented_program import WORKFLOW
from tests.receivers.traces.instrumented_run import InstrumentedRun, run


@pytest.fixture(scope="module", params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    name: str = request.param
    return DIALECTS[name]


@pytest.fixture(scope="module")
def sent(dialect: Dialect, tmp_path_factory: pytest.TempPathFactory) -> InstrumentedRun:
    python = os.environ.get(dialect.python)
    if python is None:
        pytest.skip(f"{dialect.python} is not set: run the tests by `make test`")
    return run(dialect, python, Path(tmp_path_factory.mktemp("instrumented")))


@pytest.fixture(scope="module")
def records(sent: InstrumentedRun) -> Sequence[Record]:
    settings = TracesSettings()
    return concluded("otel", sent.spans, settings, stored_created_at=None, is_over=False)


@pytest.fixture(scope="module")
def calls(records: Sequence[Record]) -> list[LlmCall]:
    return [record for record in records if isinstance(record, LlmCall)]


def test_calls_tokens_and_errors_are_the_providers_own(
    dialect: Dialect, sent: InstrumentedRun, calls: list[LlmCall]
) -> None:
    served = provider_log.served_calls(sent.served, dialect)

    assert provider_log.concluded_calls(calls) == served
    assert served.total() >= 15, "the program made hardly any calls"


def test_the_cost_is_the_providers_own(
    dialect: Dialect, sent: InstrumentedRun, calls: list[LlmCall]
) -> None:
    served_usd = provider_log.served_cost_usd(sent.served, dialect)

    if dialect.tells_cost:  # in floats
        told_usd = provider_log.concluded_cost_usd(calls, CostSource.REPORTED)
        assert round(told_usd, 12) == round(served_usd, 12)
    elif "cached_input_tokens" in dialect.never_tells:
        priced_usd = provider_log.concluded_cost_usd(calls, CostSource.PRICED)
        assert priced_usd > served_usd, "tokens that came from the cache are taken for fresh ones"
    else:
        assert provider_log.concluded_cost_usd(calls, CostSource.PRICED) == served_usd


def test_the_run_is_one_successful_execution(
    sent: InstrumentedRun, records: Sequence[Record]
) -> None:
    [execution] = [record for record in records if isinstance(record, Execution)]
    steps = [record for record in records if isinstance(record, Step)]

    assert (execution.workflow, execution.status) == (WORKFLOW, ExecutionStatus.SUCCESS)
    assert len(steps) == len(sent.spans) - 1
    assert execution.attributes["service.name"] == "content"


def test_each_call_is_a_step_of_the_model(records: Sequence[Record], calls: list[LlmCall]) -> None:
    kinds = {record.step_id: record.kind for record in records if isinstance(record, Step)}

    assert {kinds[call.step_id or ""] for call in calls} == {StepKind.LLM}


def test_providers_and_requested_models_are_known(dialect: Dialect, calls: list[LlmCall]) -> None:
    assert {call.provider for call in calls} == dialect.providers
    assert all(call.model == (call.requested_model or call.model) for call in calls)
    assert all(call.model != "unknown" for call in calls)


def test_every_failed_call_names_its_error(calls: list[LlmCall]) -> None:
    failed = [call for call in calls if call.status is not ExecutionStatus.SUCCESS]
    named = Counter((call.error_type or "").rpartition(".")[2] for call in failed)

    assert named["RateLimitError"] + named["rate_limit_error"] == named.total() // 4
    assert not named[""]


def test_why_an_answer_ended_is_known(dialect: Dialect, calls: list[LlmCall]) -> None:
    reasons = Counter(
        call.finish_reason
        for call in calls
        if call.operation is Operation.CHAT and call.status is ExecutionStatus.SUCCESS
    )

    assert reasons["length"] + reasons["max_tokens"] == len(dialect.providers)
    assert reasons["content_filter"] == ("openai" in dialect.providers)
    assert reasons["refusal"] == ("anthropic" in dialect.providers)


def test_prompts_and_answers_can_be_read(dialect: Dialect, calls: list[LlmCall]) -> None:
    if dialect is DIALECTS["openai-v2"]:
        pytest.skip("sends them as log records, not in spans")
    told = [
        call
        for call in calls
        if call.operation is Operation.CHAT and call.status is ExecutionStatus.SUCCESS
    ]

    assert all(call.prompt and "user: " in call.prompt for call in told)
    if not dialect.tells_answers_of_streams:
        # Those of streams; some are so short that the first token comes at their end.
        told = [call for call in told if call.response is not None]
        assert len(told) > 1
    assert all(call.response and call.response.startswith("assistant: ") for call in told)
    assert any("→ find_order(" in (call.response or "") for call in told)


def test_the_time_to_the_first_token_is_of_streams_only(
    dialect: Dialect, calls: list[LlmCall]
) -> None:
    timed = [call for call in calls if call.time_to_first_token_seconds is not None]

    assert all(
        0 < (call.time_to_first_token_seconds or 0) <= (call.latency_seconds or 0) for call in timed
    )
    assert len(timed) < len(calls) / 2
    assert dialect.program == "openai-v2" or timed
