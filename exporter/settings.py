"""The settings tree: frozen, strict, and what each setting means."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Literal
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    SerializeAsAny,
    WithJsonSchema,
)

from exporter.baseline_settings import BaselineSettings
from exporter.budget_settings import BudgetSettings, GateSettings
from exporter.judge_settings import WorkflowSettings
from exporter.setting_types import Duration, HttpUrl, Secret, SourceName, Strict, written


def _at_least_a_second(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("a source is not asked more often than every 1s")
    return value


def _listen(value: object) -> object:
    host, _, port = str(value).rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{value!r} is no address; write host:port, for example 127.0.0.1:9849")
    return value


class DatabaseSettings(Strict):
    """Where history goes."""

    url: Secret
    """PostgreSQL ≥ 15, with or without TimescaleDB: postgresql://user:password@host/database."""
    dashboard_role: Annotated[
        str, written(r"[a-z_][a-z0-9_]{0,62}", "a role name of a-z, 0-9 and _, at most 63 long")
    ] = "aiwf_dashboards"
    """The read-only role that Grafana connects as; `migrate` creates it."""
    dashboard_password: Secret | None = None
    """Its password; without one the role cannot log in."""


class WebSettings(Strict):
    """The HTTP server."""

    listen: Annotated[str, BeforeValidator(_listen)] = "127.0.0.1:9849"
    token: Secret | None = None
    """Bearer token for everything that writes; without one, writing over HTTP is refused."""


class ContentSettings(Strict):
    """What is kept of prompts and responses."""

    capture: Annotated[
        Literal["full", "truncated", "off"],
        # YAML reads a bare `off` as false.
        BeforeValidator(lambda value: "off" if value is False else value),
        WithJsonSchema({"enum": ["full", "truncated", "off", False]}),
    ] = "truncated"
    max_chars: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 8000
    redact: tuple[Literal["email", "api_key", "card"], ...] = ("api_key",)


class MetricsSettings(Strict):
    """How much /metrics may hold."""

    max_label_values: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 500
    """Distinct values of one label; what comes beyond is counted under `other`."""


class RetentionSettings(Strict):
    """How long raw rows are kept; the hourly sums are kept for ever."""

    executions: Duration = timedelta(days=90)
    """Executions, steps and model calls."""
    llm_content: Duration = timedelta(days=30)
    """Prompts and responses."""
    polls: Duration = timedelta(days=14)
    status: Duration = timedelta(days=400)
    """Levels and incidents of status pages."""


class PriceOverride(Strict):
    """A price of your own, in USD per million tokens; it wins over the catalogue."""

    provider: str | None = None
    """The provider as shown in `llm_calls`; none means any."""
    model: str
    """The model's exact name."""
    input: Annotated[Decimal, Field(ge=0)]
    output: Annotated[Decimal, Field(ge=0)]
    cached_input: Annotated[Decimal, Field(ge=0)] | None = None
    """None: cached tokens cost what input costs."""
    cache_write: Annotated[Decimal, Field(ge=0)] | None = None
    valid_from: date | None = None
    """First UTC day of this price; none means always."""


class SourceSettings(Strict):
    """What every source has; each kind adds its own."""

    from_environment: ClassVar[Mapping[str, str]] = {}
    """Field → variable: with all of them set, a source needs no configuration file."""
    also_from_environment: ClassVar[Mapping[str, str]] = {}
    """Field → variable that may be set too; no secrets."""

    name: SourceName
    kind: str
    every: Annotated[Duration, AfterValidator(_at_least_a_second)] = timedelta(seconds=30)


class ForwardTarget(Strict):
    """An OTLP endpoint that received spans are sent on to."""

    name: SourceName
    url: HttpUrl
    """Where to POST: for example http://tempo:4318/v1/traces."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Headers of each request; values are secrets."""
    keep: Duration = timedelta(hours=24)
    """How long spans wait for a target that does not answer; older ones are dropped and counted."""


class TracesSettings(Strict):
    """POST /v1/traces: OpenTelemetry spans."""

    enabled: bool = True
    name: SourceName = "otel"
    """Column and label `source` of what is made of them."""
    customer: tuple[str, ...] = ()
    """Attributes that name the customer, before those that are known anyway."""
    project: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    silence: Duration = timedelta(minutes=10)
    """A trace without its root span is taken for over after this long without a span."""
    late: Duration = timedelta(hours=1)
    """How long spans may come after the others; the spans of a trace are stored until then."""
    n8n: Literal["auto", "keep"] = "auto"
    """auto: spans of an n8n are left out while any n8n's database is read, which tells the same."""
    forward: tuple[ForwardTarget, ...] = ()


class ExecutionsSettings(Strict):
    """POST /v1/executions and /v1/outcomes: what programs say of themselves."""

    enabled: bool = True
    name: SourceName = "pushed"
    """Column and label `source` of what is pushed."""


class ReceiversSettings(Strict):
    """What is pushed to us; with `web.token` set, it needs the token."""

    max_body: Annotated[int, Field(strict=True, ge=1024, le=256 * 1024 * 1024)] = 4 * 1024 * 1024
    """Most bytes of a request as it comes; unpacked it may be four times that."""
    max_waiting: Annotated[int, Field(strict=True, ge=1024)] = 64 * 1024 * 1024
    """Most bytes, unpacked, that wait to be stored; what comes beyond is told to come later."""
    traces: TracesSettings = TracesSettings()
    executions: ExecutionsSettings = ExecutionsSettings()


class Settings(Strict):
    """The whole configuration."""

    database: DatabaseSettings
    web: WebSettings = WebSettings()
    content: ContentSettings = ContentSettings()
    metrics: MetricsSettings = MetricsSettings()
    retention: RetentionSettings = RetentionSettings()
    prices: tuple[PriceOverride, ...] = ()
    exchange_rates: dict[
        Annotated[str, written(r"[A-Z]{3}", "a currency such as EUR")],
        Annotated[Decimal, Field(gt=0)],
    ] = Field(default_factory=dict)
    """US dollars per unit of a currency that a provider bills in; without one it stays unknown."""
    receivers: ReceiversSettings = ReceiversSettings()
    workflows: tuple[WorkflowSettings, ...] = ()
    budgets: tuple[BudgetSettings, ...] = ()
    gate: GateSettings = GateSettings()
    baselines: BaselineSettings = BaselineSettings()
    sources: tuple[SerializeAsAny[SourceSettings], ...] = ()

    def secrets(self) -> Iterator[str]:
        """Every secret in the tree, so that the log can hide them."""
        return _secrets(self)


def _secrets(node: object) -> Iterator[str]:
    match node:
        case SecretStr():
            value = node.get_secret_value()
            yield value
            yield from _passwords(value)
        case BaseModel():
            for _, child in node:
                yield from _secrets(child)
        case tuple():
            for child in node:
                yield from _secrets(child)
        case dict():
            for child in node.values():
                yield from _secrets(child)
        case _:
            pass


def _passwords(value: str) -> Iterator[str]:
    """Find what is secret within a database address, also in one that does not parse."""
    written = re.search(r"://[^:/@]*:(.+)@", value)
    if written:
        yield written[1]
        yield unquote(written[1])
    try:
        password = conninfo_to_dict(value).get("password")
    except psycopg.Error:
        return
    if password:
        yield str(password)
