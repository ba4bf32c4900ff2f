"""What a simulated provider of models does with a call in any dialect, and its log of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from threading import Lock

from exporter.records import Operation

_CHARACTERS_PER_TOKEN = 4
_LEAST_CACHED_TOKENS = 1_024
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal = Decimal(0)
    cached_input: Decimal | None = None  # None: as fresh ones
    cache_write: Decimal | None = None


def _price(*usd: str) -> ModelPrice:
    return ModelPrice(*map(Decimal, usd))


# As the providers list them.
LIST_PRICES: Mapping[str, ModelPrice] = {
    "gpt-4o-mini": _price("0.15", "0.6", "0.075"),
    "gpt-4.1": _price("2", "8", "0.5"),
    "gpt-5-mini": _price("0.25", "2", "0.025"),
    "text-embedding-3-small": _price("0.02"),
    "claude-haiku-4-5": _price("1", "5", "0.1", "1.25"),
    "claude-sonnet-4-5": _price("3", "15", "0.3", "3.75"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCall:
    """A call as the provider logged it."""

    call_id: str
    at: datetime
    model: str
    operation: Operation
    status: int = 200  # of HTTP
    error: str | None = None  # the provider's word for what went wrong
    finish_reason: str | None = None
    is_streamed: bool = False
    is_usage_told: bool = True  # whether the caller learnt of the tokens
    input_tokens: int = 0  # in total: those from the cache and into the cache included
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0  # in total: reasoning included
    reasoning_tokens: int = 0

    @property
    def cost_usd(self) -> Decimal | None:
        """Return what it costs at list price; None: the model has none."""
        price = LIST_PRICES.get(self.model)
        if price is None:
            return None
        fresh = self.input_tokens - self.cached_input_tokens - self.cache_write_tokens
        return (
            fresh * price.input
            + self.cached_input_tokens * _either(price.cached_input, price.input)
            + self.cache_write_tokens * _either(price.cache_write, price.input)
            + self.output_tokens * price.output
        ) / _MILLION


def _either(price: Decimal | None, other: Decimal) -> Decimal:
    return other if price is None else price


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A call that is refused with an error."""

    status: int
    error: str
    message: str = "Simulated."
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that is answered, and paid for, but not with what was wanted."""


Mishap = Failure | Refusal


class InferenceBook:
    """The provider's log, what it has cached, and what is planned to go wrong."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: list[ServedCall] = []
        self._cached: set[str] = set()
        self._planned: list[tuple[str | None, Mishap]] = []

    @property
    def calls(self) -> list[ServedCall]:
        """Return the calls so far, oldest first."""
        with self._lock:
            return list(self._calls)

    def plan(self, *mishaps: Mishap, model: str | None = None) -> None:
        """Let the next calls, of one model or of any, meet these one after the other."""
        with self._lock:
            self._planned += [(model, mishap) for mishap in mishaps]

    def mishap_for(self, model: str) -> Mishap | None:
        """Return what a call meets, and strike it off."""
        with self._lock:
            for place, (wanted, mishap) in enumerate(self._planned):
                if wanted in {None, model}:
                    del self._planned[place]
                    return mishap
        return None

    def log(self, call: ServedCall) -> None:
        """Log a call."""
        with self._lock:
            self._calls.append(call)

    def is_cached(self, beginning: str) -> bool:
        """Whether a prompt began so before; from now on it did."""
        digest = hashlib.sha256(beginning.encode()).hexdigest()
        with self._lock:
            was_cached = digest in self._cached
            self._cached.add(digest)
        return was_cached


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says to a prompt; the same for the same prompt."""

    text: str
    tool_call: tuple[str, str] | None = None  # its name, its arguments in JSON
    output_tokens: int
    reasoning_tokens: int = 0
    is_truncated: bool = False
    words: Sequence[str] = field(default_factory=list)  # the text as it is streamed


def tokens_in(text: str) -> int:
    """Count tokens, roughly as a tokenizer would."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN) if text else 0


def cached_beginning(text: str) -> str | None:
    """Return the part of a prompt that is cached by itself; None: it is too short."""
    length = _LEAST_CACHED_TOKENS * _CHARACTERS_PER_TOKEN
    return text[:length] if len(text) >= length else None


def answer_to(prompt: str, *, tool: str | None, most_tokens: int | None, reasons: bool) -> Answer:
    """Answer a prompt: by a call of the tool where there is one, else in words."""
    digest = hashlib.sha256(prompt.encode()).digest()
    reasoning = 64 + digest[0] % 64 if reasons else 0
    if tool is not None:
        arguments = f'{{"number":{digest[1]}}}'
        return Answer(
            text="",
            tool_call=(tool, arguments),
            output_tokens=tokens_in(tool + arguments) + reasoning,
            reasoning_tokens=reasoning,
        )
    words = [f"{_WORDS[byte % len(_WORDS)]} " for byte in digest[: 12 + digest[2] % 20]]
    if most_tokens is not None and reasoning + len(words) > most_tokens:
        kept = words[: max(most_tokens - reasoning, 0)]
        return Answer(
            text="".join(kept),
            output_tokens=most_tokens,
            reasoning_tokens=min(reasoning, most_tokens),
            is_truncated=True,
            words=kept,
        )
    return Answer(
        text="".join(words),
        output_tokens=len(words) + reasoning,
        reasoning_tokens=reasoning,
        words=words,
    )


_WORDS = (
    "the", "order", "ships", "today", "and", "every", "invoice", "names", "its", "customer",
    "while", "support", "answers", "within", "one", "hour",
)  # fmt: skip
