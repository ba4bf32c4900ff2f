"""Values in Grafana's provisioning files, each with the rule it is refused by."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_DURATION = re.compile(r"(?=.)(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?")
_UNIT_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


class Strict(BaseModel):
    """No key it does not know, and no value bent into shape."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def duration_seconds(text: str) -> int:
    """Read a Prometheus duration."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write for example 30s, 5m or 1h30m")
    return sum(int(n) * _UNIT_SECONDS[unit] for n, unit in re.findall(r"(\d+)([wdhms])", text))


def _duration(text: str) -> str:
    duration_seconds(text)
    return text


def _interpolated(text: str) -> str:
    # `$$` is a dollar; `$NAME` a variable, inserted once; `${NAME}` is expanded twice, and would
    # eat the rest of a password behind a dollar of its own.
    for part in text.split("$$"):
        for found in re.finditer(r"\$(.?)", part.removesuffix("$")):
            if not _VARIABLE.match(part, found.start() + 1):
                raise ValueError(f"{text!r} has a lone $: write $$, or $NAME in capitals")
    return text


def _plain(text: str) -> str:
    if "$$" in text or "${" in text:
        raise ValueError(f"{text!r}: Grafana inserts no variables here; write a single $")
    return text


Duration = Annotated[str, AfterValidator(_duration)]
Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]
Text = Annotated[str, Field(min_length=1), AfterValidator(_interpolated)]
"""Text in which Grafana inserts environment variables."""
PlainText = Annotated[str, Field(min_length=1), AfterValidator(_plain)]
"""Text that Grafana leaves as it is."""
