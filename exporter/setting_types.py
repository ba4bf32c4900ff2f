"""Kinds of values that settings are made of: durations, secrets, names, addresses."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_LONGEST_SECONDS = 36500 * 86400
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no duration; write for example 30s, 5m, 12h or 90d")
    seconds = float(match[1]) * _UNIT_SECONDS[match[2]]
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"{value!r} is out of range; it must be more than 0 and at most 36500d")
    return timedelta(seconds=seconds)


def read_secret(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the variable's value, or the content of the file that `<name>_FILE` names."""
    if environ.get(name):
        return environ[name]
    path = environ.get(f"{name}_FILE")
    return _read_secret_file(Path(path), f" (from {name}_FILE)") if path else None


def _read_secret_file(path: Path, origin: str = "") -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ValueError(f"the secret file {path}{origin} cannot be read: {reason}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the secret file {path}{origin} is not UTF-8 text") from None
    if not found:
        raise ValueError(f"the secret file {path}{origin} is empty")
    return found


def _secret(value: object, info: ValidationInfo) -> object:
    match value:
        case SecretStr():
            return value
        case {"env": str(name), **rest} if not rest:
            found = read_secret(name, (info.context or {}).get("environ", os.environ))
            if not found:
                raise ValueError(f"environment variable {name} is not set; set it, or {name}_FILE")
        case {"file": str(path), **rest} if not rest:
            found = _read_secret_file(Path(path))
        case _:
            raise ValueError(
                "a secret is not written here; write {env: NAME} or {file: /path/to/secret}"
            )
    return SecretStr(found)


def _written_duration(value: timedelta) -> str:
    """Write a duration as people do: the largest unit that it is a whole number of."""
    seconds = value.total_seconds()
    unit = next(
        (unit for unit, size in reversed(_UNIT_SECONDS.items()) if seconds % size == 0), "s"
    )
    return f"{seconds / _UNIT_SECONDS[unit]:g}{unit}"


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(_written_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["30s"]}),
]
Secret = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {key: {"type": "string"} for key in ("env", "file")},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }
    ),
]


class Strict(BaseModel):
    """Frozen, and no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def written(pattern: str, words: str) -> BeforeValidator:
    """Check a text against a pattern that the message puts into words."""

    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"{value!r} does not do; write {words}")
        return value

    return BeforeValidator(check)


Identifier = Annotated[str, written(r"[^%\"\x00]*", "a name without % and quotes")]
HttpUrl = Annotated[
    str,
    written(
        r"https?://[^\s@]+", "an address that begins with https:// and holds no user or password"
    ),
]


SourceName = Annotated[
    str, written(r"[a-z0-9][a-z0-9_-]{0,62}", "a name of a-z, 0-9, - and _, at most 63 long")
]


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"{value!r} is no time zone; write for example Europe/Berlin") from None
    return value


Zone = Annotated[str, AfterValidator(_zone)]
