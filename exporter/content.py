"""What is kept of prompts and responses: the capture setting and the redaction, in one place."""

import re
from dataclasses import replace

from exporter.records import LlmCall
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


class ContentPolicy:
    """Applies the content settings to what people and models wrote."""

    def __init__(self, settings: ContentSettings) -> None:
        self._settings = settings

    def applied(self, call: LlmCall) -> LlmCall:
        """Return the call with its texts as they may be kept."""
        if call.prompt is None and call.response is None:
            return call
        return replace(call, prompt=self._kept(call.prompt), response=self._kept(call.response))

    def message(self, text: str | None) -> str | None:
        """Return an error message as it may be kept: redacted and cut, whatever is captured."""
        return None if text is None else _cut(self._redacted(text), _LONGEST_MESSAGE)

    def _kept(self, text: str | None) -> str | None:
        if text is None or self._settings.capture == "off":
            return None
        # Redact before truncating: a secret cut in half is no longer recognised.
        text = self._redacted(text)
        return (
            _cut(text, self._settings.max_chars) if self._settings.capture == "truncated" else text
        )

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


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit} more characters]"
