"""The instrumentations from PyPI that are tested, and what each of them leaves out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.records import Operation

_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """An instrumentation; what it does not send nobody can know."""

    program: str  # its name in instrumented_program.py
    python: str = "TEST_INSTRUMENTATIONS"  # the variable that says where its Python is
    environment: Mapping[str, str] = field(default_factory=dict)
    providers: frozenset[str] = frozenset({"openai", "anthropic"})
    makes_no_span_of: frozenset[Operation] = frozenset()
    never_tells: frozenset[str] = frozenset()  # fields of a call
    tells_no_tokens_of: frozenset[Operation] = frozenset()
    tells_cost: bool = False
    tells_answers_of_streams: bool = True


_NO_IMAGES = frozenset({Operation.IMAGE})

DIALECTS = {
    # opentelemetry-instrumentation-genai-openai and -anthropic: the conventions of today
    "genai": Dialect(
        program="genai", environment={_CONTENT: "span_only"}, makes_no_span_of=_NO_IMAGES
    ),
    # opentelemetry-instrumentation-openai-v2: those before v1.37, and those after
    "openai-v2": Dialect(
        program="openai-v2",
        providers=frozenset({"openai"}),
        python="TEST_INSTRUMENTATIONS_OLDER",
        makes_no_span_of=_NO_IMAGES,
        never_tells=frozenset({"cached_input_tokens", "reasoning_tokens"}),
    ),
    "openai-v2-latest": Dialect(
        program="openai-v2",
        providers=frozenset({"openai"}),
        python="TEST_INSTRUMENTATIONS_OLDER",
        environment={
            "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
            _CONTENT: "span_only",
        },
        makes_no_span_of=_NO_IMAGES,
        never_tells=frozenset({"cached_input_tokens", "reasoning_tokens"}),
    ),
    # the SDK's own spans, without any instrumentation
    "anthropic-sdk": Dialect(
        program="anthropic-sdk",
        environment={"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content"},
        providers=frozenset({"anthropic"}),
        tells_answers_of_streams=False,
    ),
    "openllmetry": Dialect(program="openllmetry", makes_no_span_of=_NO_IMAGES),
    "openinference": Dialect(program="openinference"),
    "openlit": Dialect(
        program="openlit",
        python="TEST_INSTRUMENTATIONS_OLDER",
        never_tells=frozenset({"reasoning_tokens"}),
        tells_no_tokens_of=_NO_IMAGES,
        tells_cost=True,
    ),
}
