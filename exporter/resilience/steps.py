"""Steps that no model answered: a circuit breaker held them back, or a cache knew the answer."""

import re
from collections.abc import Iterable

from exporter.records import ExecutionStatus, Step, StepKind

# As pybreaker, circuitbreaker, aiobreaker, purgatory, resilience4j, Polly, cockatiel, Akka,
# Failsafe, Semian, Stoplight and opossum name it.
_CLASSES = re.compile(
    r"(?:^|[.:])(?:CircuitBreaker(?:Open)?(?:Error|Exception)|CircuitOpen(?:Error|Exception)"
    r"|OpenCircuit(?:Error|Exception)|OpenedState|CallNotPermittedException"
    r"|(?:Broken|Isolated)Circuit(?:Error|Exception)|RedLight|EOPENBREAKER)$"
)
# opossum, gobreaker, resilience4j, Polly and others say so in words.
_SAID = re.compile(
    r"(?:circuit|breaker)(?:\s\S{1,80})?\s(?:is\s)?(?:now\s|still\s)?open\b", re.IGNORECASE
)
# pybreaker says so of a call that was made, and whose failure opened it.
_OPENED_NOW = "circuit breaker opened"
_FAILED = (ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT, ExecutionStatus.CRASHED)
_CACHED = frozenset(
    {
        "aiwf.cached_answer",
        "gen_ai.cache.hit",
        "gen_ai.response.cache_hit",
        "llm.cache.hit",
        "llm.cache_hit",
        "kong.gen_ai.cache_status",
        # Headers of gateways, as instrumentations of HTTP keep them.
        "http.response.header.cf-aig-cache-status",
        "http.response.header.helicone-cache",
        "http.response.header.x-portkey-cache-status",
    }
)
_CACHED_OF_LLM = _CACHED | {"cache.hit", "cache_hit"}  # said of any cache
_HIT = frozenset({"true", "hit", "semantic hit"})


def circuit_open(steps: Iterable[Step]) -> set[str]:
    """Return the steps of an execution that a breaker held back; where it went on up, the first."""
    stopped = {step.step_id: step for step in steps if _is_stopped(step)}
    return stopped.keys() - {step.parent_step_id for step in stopped.values()}


def _is_stopped(step: Step) -> bool:
    if str(step.attributes.get("aiwf.circuit_breaker")).lower() == "open":
        return True
    if step.status not in _FAILED:
        return False
    said = step.error_message or ""
    if _CLASSES.search(step.error_type or ""):
        return _OPENED_NOW not in said
    return _SAID.search(said) is not None


def is_cached_answer(step: Step) -> bool:
    """Return whether it was answered from a cache instead of a model."""
    names = _CACHED_OF_LLM if step.kind is StepKind.LLM else _CACHED
    return any(_is_hit(step.attributes[name]) for name in names & step.attributes.keys())


def _is_hit(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_is_hit, value))
    return str(value).strip().lower() in _HIT
