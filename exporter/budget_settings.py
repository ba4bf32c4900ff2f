"""Settings of budgets and of the gate: what may be spent, and what happens when it is."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from exporter.records import BudgetPeriod, BudgetScope
from exporter.setting_types import Duration, HttpUrl, Secret, SourceName, Strict, Zone

Percent = Annotated[Decimal, Field(gt=0, le=1000)]
Usd = Annotated[Decimal, Field(gt=0)]
Tokens = Annotated[int, Field(strict=True, ge=1)]


class WebhookAction(Strict):
    """POST of what happened, as JSON."""

    url: HttpUrl
    secret: Secret
    """Signs each request: X-AIWF-Signature is the HMAC-SHA256 of "<X-AIWF-Timestamp>.<body>"."""
    at: Percent | None = None
    """The threshold that it is sent at; none means each of them."""


class PauseAction(Strict):
    """Switch n8n workflows off, by the API of the n8n they are in (`api` of its source)."""

    at: Percent = Decimal(100)
    workflows: tuple[str, ...] = ()
    """Their names; none means the workflow that the budget is of, or of the run."""
    source: SourceName | None = None
    """The n8n they are in, where more than one has workflows of these names."""
    resume: bool = False
    """Switch on again what this budget switched off, when the next period begins."""


class BudgetSettings(Strict):
    """What may be spent of model calls, by their cost as it is known."""

    name: SourceName
    scope: BudgetScope = BudgetScope.TOTAL
    value: str | None = None
    """Of which provider, customer …; none means each of them has a budget of its own."""
    source: SourceName | None = None
    """Only calls of this source; none means of all but gateways, whose calls are told twice."""
    period: BudgetPeriod
    zone: Zone = "UTC"
    """Where days and months begin."""
    limit_usd: Usd
    thresholds: Annotated[tuple[Percent, ...], Field(min_length=1)] = (
        Decimal(50),
        Decimal(80),
        Decimal(100),
    )
    """Percent of the limit that are told when they are reached; of one execution only 100, unless
    others are written."""
    alert: bool = True
    """Show reached thresholds to the alert rules."""
    webhook: WebhookAction | None = None
    pause: PauseAction | None = None
    deny: bool = False
    """The gate refuses what would cost more than remains."""
    dry_run: bool = False
    """Record what would be done, and do none of it."""

    @model_validator(mode="before")
    @classmethod
    def _of_one_execution(cls, told: object) -> object:
        """A run that costs half of what it may is no news."""
        if isinstance(told, dict) and told.get("period") == BudgetPeriod.EXECUTION:
            return {"thresholds": [100], **told}
        return told

    @field_validator("thresholds")
    @classmethod
    def _in_order(cls, thresholds: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        return tuple(sorted(set(thresholds)))

    @model_validator(mode="after")
    def _agrees(self) -> "BudgetSettings":
        if self.scope is BudgetScope.TOTAL and self.value is not None:
            raise ValueError("value: a budget of scope total has none; write scope: provider, …")
        if self.scope is BudgetScope.SOURCE and self.source not in (None, self.value):
            raise ValueError("source: the budget is already of one source, by its value")
        for name, action in (("pause", self.pause), ("webhook", self.webhook)):
            if action is not None and action.at is not None and action.at not in self.thresholds:
                raise ValueError(f"{name}.at: {action.at} is none of the thresholds")
        is_of_workflow = self.scope is BudgetScope.WORKFLOW or self.period is BudgetPeriod.EXECUTION
        if self.pause is not None and not self.pause.workflows and not is_of_workflow:
            raise ValueError(
                "pause.workflows: name the workflows; a budget of this scope is of no workflow"
            )
        if self.pause is not None and self.pause.resume and self.period is BudgetPeriod.EXECUTION:
            raise ValueError("pause.resume: a budget of one execution has no next period")
        return self


class RateSettings(Strict):
    """How much a customer may begin within a minute."""

    customer: str | None = None
    """Which; none means every customer that has no rate of its own, each by itself."""
    tokens_per_minute: Tokens | None = None
    """Input and the most output, as it is told or estimated."""
    runs_per_minute: Tokens | None = None


class GateSettings(Strict):
    """GET /v1/gate: may this run or call go on?"""

    enabled: bool = True
    when_unknown: Literal["allow", "deny"] = "allow"
    """What it says where it cannot tell: no price, no budgets read yet, or too slow."""
    deadline: Duration = timedelta(milliseconds=100)
    """What takes longer, from the whole request on, is answered as unknown."""
    max_age: Duration = timedelta(minutes=5)
    """How old what it knows of spending may be; older, a budget that denies is unknown."""
    hold: Duration = timedelta(minutes=2)
    """How long what it let pass counts as spent; by then its cost is read from its source."""
    assumed_output_tokens: Tokens = 1000
    """Of a call that names no most output."""
    rates: tuple[RateSettings, ...] = ()
    equivalents: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """provider/model → provider/model that may stand for it; none named: those of the provider."""

    @field_validator("equivalents")
    @classmethod
    def _written_with_provider(
        cls, equivalents: dict[str, tuple[str, ...]]
    ) -> dict[str, tuple[str, ...]]:
        for name in (one for key, rest in equivalents.items() for one in (key, *rest)):
            if not all(name.partition("/")):
                raise ValueError(f"{name!r} is no model; write provider/model")
        return equivalents

    @model_validator(mode="after")
    def _once_each(self) -> "GateSettings":
        named = [rate.customer for rate in self.rates]
        if len(named) != len(set(named)):
            raise ValueError("rates: a customer has one rate, and so has everybody else")
        return self


class N8nApi(Strict):
    """n8n's public API, which budgets switch workflows off by."""

    url: HttpUrl
    """Where n8n is: for example https://n8n.example.com."""
    key: Secret
    """An API key that may read, activate and deactivate workflows."""
