"""A workflow in code that tells of itself by OpenTelemetry: the content generator of the demo."""

import logging
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from exporter.errors import ExporterError
from exporter.http_client import HttpClient

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
WORKFLOW = "content_generator"
_CUSTOMERS = ("customer-01", "customer-02", "customer-05")
_TOPICS = ("spring sale", "a new office", "how we ship on time", "ten years of us")


@dataclass(slots=True)
class _Trace:
    """Spans in OTLP's JSON, one after the other from where the clock stands."""

    begins_at: datetime
    rng: random.Random
    at: datetime = field(init=False)
    trace_id: str = field(init=False)
    root: str = field(init=False)
    spans: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.at = self.begins_at
        self.trace_id = f"{self.rng.getrandbits(128):032x}"
        self.root = f"{self.rng.getrandbits(64):016x}"

    def step(
        self, name: str, milliseconds: float, error: str | None = None, **attributes: object
    ) -> None:
        """Do a step; its attributes are named with __ for a dot."""
        begun = self.at
        self.at += timedelta(milliseconds=milliseconds)
        span_id = f"{self.rng.getrandbits(64):016x}"
        self._add(name, span_id, begun, error, attributes)

    def end(self, name: str, error: str | None = None, **attributes: object) -> None:
        """End the whole."""
        self._add(name, self.root, self.begins_at, error, attributes)

    def _add(
        self,
        name: str,
        span_id: str,
        begun: datetime,
        error: str | None,
        attributes: dict[str, object],
    ) -> None:
        parent = "" if span_id == self.root else self.root
        self.spans.append(
            {
                "traceId": self.trace_id,
                "spanId": span_id,
                "parentSpanId": parent,
                "name": name,
                "kind": 3 if parent else 1,
                "startTimeUnixNano": _nanos(begun),
                "endTimeUnixNano": _nanos(self.at),
                "status": {"code": 2, "message": error} if error else {},
                "attributes": [
                    {"key": key.replace("__", "."), "value": _value(value)}
                    for key, value in attributes.items()
                ],
            }
        )

    def request(self) -> dict[str, object]:
        """Return the body of a request with all of it."""
        resource = {"attributes": [{"key": "service.name", "value": _value("content")}]}
        scope = {"name": "content_generator"}
        return {
            "resourceSpans": [
                {"resource": resource, "scopeSpans": [{"scope": scope, "spans": self.spans}]}
            ]
        }


def _nanos(at: datetime) -> str:
    return str(int(at.timestamp() * 1_000_000) * 1_000)


def _value(value: object) -> dict[str, object]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case _:
            return {"stringValue": str(value)}


def run_at(begins_at: datetime, rng: random.Random) -> dict[str, object]:
    """Return the request that tells of one run: the guide's five steps, with what goes wrong."""
    trace = _Trace(begins_at, rng)
    topic = rng.choice(_TOPICS)
    pace = rng.uniform(0.8, 1.3)
    trace.step("Fetch topic from database", 45 * pace, db__system__name="postgresql")
    chat = {"gen_ai__operation__name": "chat"}
    asked = {**chat, "gen_ai__provider__name": "openai", "gen_ai__request__model": "gpt-4o"}
    prompt = f"Write an outline on {topic}."
    for pause_ms in (1_000, 2_000):
        if rng.random() > 0.12:
            break
        trace.step(
            "chat gpt-4o", 180, "429: rate limit reached", error__type="RateLimitError", **asked
        )
        trace.at += timedelta(milliseconds=pause_ms)
    trace.step(
        "Generate outline",
        1_200 * pace,
        gen_ai__usage__input_tokens=rng.randint(700, 1_100),
        gen_ai__usage__output_tokens=rng.randint(200, 400),
        gen_ai__input__messages=prompt,
        gen_ai__output__messages="1. Why it matters 2. What changed 3. What comes next",
        **asked,
    )
    has_failed = rng.random() < 0.05
    trace.step(
        "Expand each section",
        2_400 * pace,
        "overloaded" if has_failed else None,
        gen_ai__provider__name="anthropic",
        gen_ai__request__model="claude-sonnet-4-5",
        **chat,
        **(
            {"error__type": "OverloadedError"}
            if has_failed
            else {
                "gen_ai__usage__input_tokens": rng.randint(1_200, 1_800),
                "gen_ai__usage__output_tokens": rng.randint(1_500, 2_400),
            }
        ),
    )
    if not has_failed:
        trace.step(
            "Generate image",
            3_800 * pace,
            gen_ai__operation__name="image_generation",
            gen_ai__provider__name="openai",
            gen_ai__request__model="gpt-image-1",
            gen_ai__usage__input_tokens=rng.randint(40, 80),
            gen_ai__usage__output_tokens=1_056,
        )
        trace.step("Save to CMS", 120 * pace, http__request__method="POST")
    trace.end(
        WORKFLOW,
        "the sections could not be expanded" if has_failed else None,
        aiwf__workflow=WORKFLOW,
        aiwf__workflow__version="4",
        aiwf__customer=rng.choice(_CUSTOMERS),
        aiwf__team="marketing",
        input__value=topic,
    )
    return trace.request()


def tell(url: str, stopped: threading.Event) -> None:
    """Run again and again, and send each run's trace to the exporter, until told to stop."""
    rng = random.Random(7)  # noqa: S311 - simulated chance
    client = HttpClient(url, allow_private=True)
    while not stopped.wait(EVERY_SECONDS):
        request = run_at(datetime.now(UTC) - timedelta(seconds=15), rng)
        try:
            client.post("/v1/traces", request, into=dict[str, object])
        except ExporterError as error:
            log.warning("traces.wait", extra={"detail": str(error)})
    client.close()
