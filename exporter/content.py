"""What is kept of prompts and responses: the capture setting and the redaction, in one place."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar

from exporter.records import Execution, Json, LlmCall, Span, Step
from exporter.settings import ContentSettings

_REDACTIONS = {
    "email": re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+"),
    "api_key": re.compile(
        r"\bsk-[A-Za-z0-9_-]{8,}|\bAIza[A-Za-z0-9_-]{20,}|\bgh[pousr]_[A-Za-z0-9]{20,}"
        r"|\bAKIA[A-Z0-9]{12,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bBearer\s+[A-Za-z0-9._~+/=-]{12,}"
    ),
    "card": re.compile(r"\b\d(?:[ -]?\d){12,18}\b"),
}


def _is_card_number(digits: str) -> bool:
    """Luhn's check, so that order numbers survive."""
    numbers = [int(digit) for digit in digits if digit.isdecimal()]
    doubled = [number * 2 - 9 * (number > 4) for number in numbers[-2::-2]]
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


_LONGEST_MESSAGE = 2000
CUT_MARK = "… [more characters]"
"""How a text ends of which nobody knows how much is missing."""
_CUT_MARK = re.compile(r"… \[(?:(\d{1,12}) )?more characters\]\Z")
_LONGEST_MARK = 40
_T = TypeVar("_T", bound=Execution | Step)


class ContentPolicy:
    """Applies the content settings to what people and models wrote."""

    def __init__(self, settings: ContentSettings) -> None:
        self._settings = settings

    def applied(self, call: LlmCall) -> LlmCall:
        """Return the call with its texts as they may be kept."""
        if call.prompt is None and call.response is None:
            return call
        return replace(call, prompt=self._kept(call.prompt), response=self._kept(call.response))

    def applied_to_run(self, record: _T) -> _T:
        """Return an execution or a step with what went in, came out and failed as it may be kept.

        Of its attributes, `error_stack` is told like an error message and `parameters` like an
        input; others are no prose.
        """
        if (record.input, record.output, record.error_message) != (None, None, None):
            record = replace(
                record,
                input=self._kept(record.input),
                output=self._kept(record.output),
                error_message=self.message(record.error_message),
            )
        if "error_stack" in record.attributes or "parameters" in record.attributes:
            record = replace(record, attributes=self._told(record.attributes))
        return record

    def applied_to_span(self, span: Span) -> Span:
        """Return a span as it may be stored: redacted, and without prose where none is kept.

        Prose is cut when it becomes a prompt or an input, not here: it may be JSON.
        """
        if self._settings.capture == "off" and span.content:
            span = replace(span, content={})
        told = [span.attributes, span.content, *(event.attributes for event in span.events)]
        texts = [span.status_message or ""]
        for value in chain.from_iterable(one.values() for one in told):
            texts += (value,) if isinstance(value, str) else texts_in(value)
        together = "\n".join(texts)
        if together == self._redacted(together):  # most of them, and asked once
            return span
        return replace(
            span,
            status_message=span.status_message and self._redacted(span.status_message),
            attributes=self._redacted_within(span.attributes),
            content=self._redacted_within(span.content),
            events=tuple(
                replace(event, attributes=self._redacted_within(event.attributes))
                for event in span.events
            ),
        )

    def _redacted_within(self, value: Any) -> Any:
        match value:
            case str():
                return self._redacted(value)
            case Mapping():
                return {key: self._redacted_within(child) for key, child in value.items()}
            case list():
                return [self._redacted_within(child) for child in value]
            case _:
                return value

    def _told(self, attributes: Mapping[str, Json]) -> dict[str, Json]:
        told = dict(attributes)
        if isinstance(stack := told.get("error_stack"), str):
            told["error_stack"] = self._redacted(stack)
        if isinstance(parameters := told.pop("parameters", None), str):
            parameters = self._kept(parameters)
        if parameters is not None:
            told["parameters"] = parameters
        return told

    def message(self, text: str | None) -> str | None:
        """Return an error message as it may be kept: redacted and cut, whatever is captured."""
        return None if text is None else self._cut(self._redacted(text), _LONGEST_MESSAGE)

    def _kept(self, text: str | None) -> str | None:
        if text is None or self._settings.capture == "off":
            return None
        # Redact before truncating: a secret cut in half is no longer recognised.
        text = self._redacted(text)
        if self._settings.capture == "truncated":
            text = self._cut(text, self._settings.max_chars)
        return text

    def _cut(self, text: str, limit: int) -> str:
        """Cut a text to so many characters and say how many are missing; once cut, it stays."""
        mark = _CUT_MARK.search(text, max(len(text) - _LONGEST_MARK, 0))
        whole = text[: mark.start()] if mark else text
        if len(whole) <= limit:
            return text
        if mark and mark[1] is None:
            said = CUT_MARK
        else:
            said = f"… [{len(whole) - limit + int(mark[1] if mark else 0)} more characters]"
        # Where the cut went through a long number, what is left may look like a card's.
        return self._redacted(whole[:limit]) + said

    def _redacted(self, text: str) -> str:
        for name in self._settings.redact:
            pattern = _REDACTIONS[name]
            if name == "card":
                text = pattern.sub(
                    lambda match: "[card]" if _is_card_number(match[0]) else match[0], text
                )
            else:
                text = pattern.sub(f"[{name}]", text)
        return text


def texts_in(value: object) -> Iterator[str]:
    """Yield every text of a nested value; keys are names."""
    match value:
        case str():
            yield value
        case Mapping():
            for child in value.values():
                yield from texts_in(child)
        case list() | tuple():
            for child in value:
                yield from texts_in(child)
        case _:
            pass
