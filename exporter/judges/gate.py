"""The gate: may this run or call go on? Answered from memory, before the money is spent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from exporter.budget_settings import BudgetSettings, GateSettings
from exporter.judges.budget_wishes import in_usd
from exporter.judges.budgets import BudgetState
from exporter.judges.gate_memory import Holds, Rates
from exporter.records import BudgetPeriod, BudgetScope

_MOST_CHEAPER = 3
_LONGEST_RUN = timedelta(hours=24)  # an engine may tell a run's calls only when it has ended
Price = Callable[[str, str, int, int, datetime], Decimal | None]
"""(provider, model, input tokens, output tokens, at) → US dollars; None: not known."""


class Question(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a run or call says of itself before it begins; without a model it is a run."""

    workflow: str | None = None
    source: str | None = None
    customer: str | None = None
    project: str | None = None
    team: str | None = None
    provider: str | None = None
    model: str | None = None
    execution_id: str | None = None
    input: str | None = None
    input_tokens: int | None = None
    max_output_tokens: int | None = None


class BindingBudget(msgspec.Struct, kw_only=True):
    """The budget that leaves the least."""

    name: str
    scope: str
    scope_value: str
    period: str
    limit_usd: float
    spent_usd: float  # what was let pass and is not read yet included
    remaining_usd: float
    period_end: datetime | None


class CheaperModel(msgspec.Struct, kw_only=True):
    """A model that would fit into what remains."""

    provider: str
    model: str
    estimated_cost_usd: float


class Answer(msgspec.Struct, kw_only=True):
    """What the gate says."""

    allow: bool
    code: str  # ok | budget | run_ceiling | rate | unknown
    reason: str | None = None
    estimated_cost_usd: float | None = None
    input_tokens: int | None = None
    input_tokens_estimated: bool = False
    max_output_tokens: int | None = None
    max_output_tokens_assumed: bool = False
    remaining_usd: float | None = None
    budget: BindingBudget | None = None
    cheaper_models: list[CheaperModel] = []
    retry_after_seconds: int | None = None
    not_judged: list[str] = []  # budgets whose scope the question does not name
    as_of: datetime | None = None  # until when spending was read


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is read from the database every few seconds; replaced as a whole."""

    as_of: datetime
    states: Mapping[tuple[str, str], BudgetState] = field(default_factory=dict)
    runs_usd: Mapping[str, Decimal] = field(default_factory=dict)  # execution_id → cost so far
    models: Sequence[tuple[str, str]] = ()  # (provider, model) that our workflows call


@dataclass(slots=True, kw_only=True)
class _Call:
    """A question with what follows from it."""

    question: Question
    provider: str | None
    model: str | None
    input_tokens: int | None = None
    input_tokens_estimated: bool = False
    max_output_tokens: int | None = None
    max_output_tokens_assumed: bool = False
    cost_usd: Decimal | None = None

    def scope_value(self, scope: BudgetScope) -> str | None:
        match scope:
            case BudgetScope.TOTAL:
                return ""
            case BudgetScope.PROVIDER:
                return self.provider
            case BudgetScope.MODEL:
                return self.model
            case _:
                value: str | None = getattr(self.question, scope.value)
                return value


@dataclass(slots=True, kw_only=True)
class _Bound:
    """A budget that applies, and what it leaves."""

    budget: BudgetSettings
    scope_value: str
    spent_usd: Decimal
    period_end: datetime | None

    @property
    def remaining_usd(self) -> Decimal:
        return self.budget.limit_usd - self.spent_usd


class Gate:
    """Answers questions; one thread asks, another may tell it what is known."""

    def __init__(
        self, settings: GateSettings, budgets: Sequence[BudgetSettings], price: Price
    ) -> None:
        self.settings = settings
        self._budgets = budgets
        self._price = price
        self._known: Known | None = None
        self._holds = Holds(settings.hold)
        self._run_holds = Holds(_LONGEST_RUN)
        self._rates = Rates(settings.rates)

    def learn(self, known: Known) -> None:
        """Take over what was read."""
        self._known = known

    def take_over(self, before: "Gate") -> None:
        """Go on with what another gate knew and remembers: a reload lets nobody pass twice."""
        self._known = before._known
        self._holds.take_over(before._holds)
        self._run_holds.take_over(before._run_holds)
        self._rates.take_over(before._rates)

    def ask(self, question: Question, now: datetime) -> Answer:
        """Say whether it may go on, and remember that it does."""
        known = self._known
        call = self._call(question, known, now)
        bound, not_judged = self._bound(call, known, now)
        answer = self._judged(call, bound, known, now)
        self._fill(answer, call, bound, known)
        answer.not_judged = not_judged
        if answer.allow:
            self._rates.count(question, call.input_tokens, call.max_output_tokens, now)
            if call.cost_usd:
                for one in bound:
                    self._holds_of(one.budget).add(_place(one), call.cost_usd, now)
        return answer

    def unanswered(self, reason: str) -> Answer:
        """Answer as configured for what cannot be told."""
        allow = self.settings.when_unknown == "allow"
        return Answer(allow=allow, code="unknown", reason=reason)

    # --- what it costs -----------------------------------------------------------------------

    def _call(self, question: Question, known: Known | None, now: datetime) -> _Call:
        provider, model = _named(question, known)
        call = _Call(question=question, provider=provider, model=model)
        if question.input_tokens is not None:
            call.input_tokens = question.input_tokens
        elif question.input is not None:
            # Four bytes of UTF-8 a token: of English text within a fifth of what is billed.
            call.input_tokens = -(-len(question.input.encode(errors="replace")) // 4)
            call.input_tokens_estimated = True
        if model is None:
            return call
        call.max_output_tokens = question.max_output_tokens
        if call.max_output_tokens is None:
            call.max_output_tokens = self.settings.assumed_output_tokens
            call.max_output_tokens_assumed = True
        if provider is not None and call.input_tokens is not None:
            call.cost_usd = self._price(
                provider, model, call.input_tokens, call.max_output_tokens, now
            )
        return call

    # --- what binds it -----------------------------------------------------------------------

    def _bound(
        self, call: _Call, known: Known | None, now: datetime
    ) -> tuple[list[_Bound], list[str]]:
        bound: list[_Bound] = []
        not_judged: list[str] = []
        for budget in self._budgets:
            if budget.source is not None and call.question.source not in (None, budget.source):
                continue
            value = call.scope_value(budget.scope)
            is_run = budget.period is BudgetPeriod.EXECUTION
            if value is None or (is_run and call.question.execution_id is None):
                not_judged.append(budget.name)
            elif budget.value in (None, value):
                name = call.question.execution_id if is_run else value
                bound.append(self._stands(budget, name or "", known, now))
        return bound, not_judged

    def _stands(
        self, budget: BudgetSettings, value: str, known: Known | None, now: datetime
    ) -> _Bound:
        one = _Bound(budget=budget, scope_value=value, spent_usd=Decimal(0), period_end=None)
        held = self._holds_of(budget).sum(_place(one), now)
        if budget.period is BudgetPeriod.EXECUTION:
            # What was let pass of this run is in what is read of it, sooner or later.
            read = known.runs_usd.get(value, Decimal(0)) if known else Decimal(0)
            one.spent_usd = max(held, read)
            return one
        state = known.states.get((budget.name, value)) if known else None
        if state is not None and now < state.period_end:
            one.spent_usd, one.period_end = state.spent_usd, state.period_end
        one.spent_usd += held
        return one

    def _holds_of(self, budget: BudgetSettings) -> Holds:
        return self._run_holds if budget.period is BudgetPeriod.EXECUTION else self._holds

    # --- the verdict -------------------------------------------------------------------------

    def _judged(
        self, call: _Call, bound: Sequence[_Bound], known: Known | None, now: datetime
    ) -> Answer:
        if (
            limited := self._rates.exceeded(
                call.question, call.input_tokens, call.max_output_tokens, now
            )
        ) is not None:
            reason, retry_after = limited
            return Answer(allow=False, code="rate", reason=reason, retry_after_seconds=retry_after)
        denying = [one for one in bound if one.budget.deny]
        if not denying:
            return Answer(allow=True, code="ok")
        if known is None or now - known.as_of > self.settings.max_age:
            return self.unanswered("what was spent could not be read lately")
        if call.model is not None and call.cost_usd is None:
            full = next((one for one in denying if one.remaining_usd <= 0), None)
            return self._denied(call, full, known, now) if full else self._unpriced(call)
        exceeded = (one for one in denying if _is_exceeded(one, call.cost_usd))
        worst = min(exceeded, key=lambda one: one.remaining_usd, default=None)
        if worst is None:
            return Answer(allow=True, code="ok")
        return self._denied(call, worst, known, now)

    def _unpriced(self, call: _Call) -> Answer:
        if call.input_tokens is None:
            missing = "its input_tokens, or its input, are not told"
        elif call.provider is None:
            missing = f"the provider of model {call.model} is not known; tell it"
        else:
            missing = f"no price is known of {call.provider}/{call.model}; set one in `prices`"
        return self.unanswered(f"what the call costs cannot be told: {missing}")

    def _denied(self, call: _Call, one: _Bound, known: Known, now: datetime) -> Answer:
        budget = one.budget
        whose = f"{budget.scope} {one.scope_value}".strip()
        is_run = budget.period is BudgetPeriod.EXECUTION
        left = (
            f"{in_usd(max(one.remaining_usd, Decimal(0)))} of {in_usd(budget.limit_usd)} "
            f"remain of budget {budget.name} "
            f"({'run ' + one.scope_value if is_run else whose + ', ' + budget.period})"
        )
        asked = f", and the call may cost {in_usd(call.cost_usd)}" if call.cost_usd else ""
        reason = left + asked
        if budget.dry_run:
            return Answer(allow=True, code="ok", reason=f"dry run, else denied: {reason}")
        answer = Answer(allow=False, code="run_ceiling" if is_run else "budget", reason=reason)
        if one.period_end is not None:
            answer.retry_after_seconds = int((one.period_end - now).total_seconds()) + 1
        answer.cheaper_models = list(self._cheaper(call, one.remaining_usd, known, now))
        answer.budget = _told(one)
        return answer

    def _cheaper(
        self, call: _Call, remaining_usd: Decimal, known: Known, now: datetime
    ) -> Iterator[CheaperModel]:
        """Yield the dearest models that fit: those nearest to what was asked for."""
        tokens = (call.input_tokens, call.max_output_tokens)
        if call.cost_usd is None or tokens[0] is None or tokens[1] is None:
            return
        named = self.settings.equivalents.get(f"{call.provider}/{call.model}")
        others = (
            [(name.partition("/")[0], name.partition("/")[2]) for name in named]
            if named is not None
            else [one for one in known.models if one[0] == call.provider]
        )
        fitting = []
        for provider, model in others:
            cost = self._price(provider, model, tokens[0], tokens[1], now)
            if cost is not None and cost < call.cost_usd and cost <= remaining_usd:
                fitting.append((cost, provider, model))
        for cost, provider, model in sorted(fitting, reverse=True)[:_MOST_CHEAPER]:
            yield CheaperModel(provider=provider, model=model, estimated_cost_usd=float(cost))

    def _fill(
        self, answer: Answer, call: _Call, bound: Sequence[_Bound], known: Known | None
    ) -> None:
        answer.input_tokens = call.input_tokens
        answer.input_tokens_estimated = call.input_tokens_estimated
        answer.max_output_tokens = call.max_output_tokens
        answer.max_output_tokens_assumed = call.max_output_tokens_assumed
        answer.estimated_cost_usd = None if call.cost_usd is None else float(call.cost_usd)
        answer.as_of = known.as_of if known else None
        if answer.budget is None and bound and known is not None:
            answer.budget = _told(min(bound, key=lambda one: one.remaining_usd))
        if answer.budget is not None:
            answer.remaining_usd = answer.budget.remaining_usd


def _is_exceeded(one: _Bound, cost_usd: Decimal | None) -> bool:
    """A run that names no call is let in while anything is left."""
    if cost_usd is None:
        return one.remaining_usd <= 0
    return cost_usd > one.remaining_usd


def _named(question: Question, known: Known | None) -> tuple[str | None, str | None]:
    """Return provider and model; a model may be written as provider/model."""
    provider, model = question.provider, question.model
    if model is None or provider is not None:
        return provider, model
    before, slash, after = model.partition("/")
    if slash and known is not None and (before, after) in known.models:
        return before, after
    owners = {one for one, name in known.models if name == model} if known else set()
    if len(owners) == 1:
        return owners.pop(), model
    return (before, after) if slash else (None, model)


def _place(one: _Bound) -> tuple[str, str]:
    return one.budget.name, one.scope_value


def _told(one: _Bound) -> BindingBudget:
    return BindingBudget(
        name=one.budget.name,
        scope=one.budget.scope,
        scope_value=one.scope_value,
        period=one.budget.period,
        limit_usd=float(one.budget.limit_usd),
        spent_usd=float(one.spent_usd),
        remaining_usd=float(one.remaining_usd),
        period_end=one.period_end,
    )
