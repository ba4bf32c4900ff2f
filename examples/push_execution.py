"""Tells the exporter of each run of a program. Copy it: it needs the standard library only.

    with Run("content_generator", customer="acme") as run:
        with run.step("outline", kind="llm"):
            answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
            run.llm_call(answer.model, latency_ms=1200, usage=answer.usage.model_dump())
        run.outcome("posts_approved", 3)

Environment: AIWF_URL (http://127.0.0.1:9849) and AIWF_TOKEN (the exporter's web.token).
A run never fails because the exporter does not answer: that is logged.
"""

import json
import logging
import os
import time
import traceback
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from types import TracebackType

log = logging.getLogger(__name__)

URL = os.environ.get("AIWF_URL", "http://127.0.0.1:9849")
TOKEN = os.environ.get("AIWF_TOKEN", "")
_LATER = {429, 502, 503, 504}  # the exporter is full, starts, or waits for its database


def push(route: str, document: dict[str, object], tries: int = 3) -> bool:
    """Send a document; whether the exporter has stored it. Sent twice, it counts once.

    An exporter that does not answer takes up to 36 seconds: where that is too long, call it in a
    thread.
    """
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's
        f"{URL}/v1/{route}",
        json.dumps(document, default=str).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
    )
    reason = ""
    for number in range(1, tries + 1):
        wait = 2.0**number
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                for note in json.load(answer)["notes"]:
                    log.warning("the exporter says: %s", note)
                return True
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.read().decode(errors='replace')}"
            if error.code not in _LATER:
                break
            asked = error.headers.get("Retry-After", "")
            wait = float(asked) if asked.isdecimal() else wait
        except (OSError, HTTPException, ValueError, LookupError) as error:
            reason = f"{type(error).__name__}: {error}"
        if number < tries:
            time.sleep(wait)  # noqa: TID251 - an example waits by itself
    log.warning("the exporter was not told: %s", reason)
    return False


class Run:
    """One run of a workflow: told when it begins and when it ends."""

    def __init__(self, workflow: str, **fields: object) -> None:
        self.told: dict[str, object] = {
            "execution_id": str(uuid.uuid4()),
            "workflow": workflow,
            "started_at": _now(),
            **fields,
        }
        self._steps: list[dict[str, object]] = []
        self._calls: list[dict[str, object]] = []
        self._outcomes: list[dict[str, object]] = []

    def __enter__(self) -> "Run":
        self._began = time.perf_counter()
        push("executions", {**self.told, "status": "running"}, tries=1)
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self.told |= {
            "status": _status(error),
            "duration_ms": _since(self._began),
            "error": _described(error),
            "steps": self._steps,
            "llm_calls": self._calls,
            "outcomes": self._outcomes,
        }
        push("executions", self.told)

    @contextmanager
    def step(self, name: str, **fields: object) -> Iterator[dict[str, object]]:
        """Time a step; what is put into the dictionary is told too: `input`, `output`, …"""
        step: dict[str, object] = {"name": name, "started_at": _now(), **fields}
        step["step_id"] = str(len(self._steps) + 1)
        self._steps.append(step)
        began = time.perf_counter()
        try:
            yield step
        except BaseException as error:
            step |= {"status": _status(error), "error": _described(error)}
            raise
        finally:
            step["duration_ms"] = _since(began)

    def llm_call(self, model: str, latency_ms: float = 0, **fields: object) -> None:
        """Note a model call that has just ended, made in the step that began last."""
        step = {"step_id": self._steps[-1]["step_id"]} if self._steps else {}
        times = {"started_at": _now(latency_ms), "latency_ms": latency_ms} if latency_ms else {}
        self._calls.append({"model": model, **step, **times, **fields})

    def outcome(self, name: str, value: float | bool = True, **fields: object) -> None:
        """Note what it achieved: posts approved, euros."""
        self._outcomes.append({"name": name, "value": value, **fields})


def _now(milliseconds_ago: float = 0) -> str:
    return (datetime.now(UTC) - timedelta(milliseconds=milliseconds_ago)).isoformat()


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)


def _status(error: BaseException | None) -> str:
    if error is None:
        return "success"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "canceled" if isinstance(error, KeyboardInterrupt) else "error"


def _described(error: BaseException | None) -> dict[str, str] | None:
    if error is None:
        return None
    stack = "".join(traceback.format_exception(error))
    return {"type": type(error).__name__, "message": str(error), "stack": stack}


if __name__ == "__main__":
    with Run("content_generator", trigger="example", customer="acme", input="tea") as run:
        with run.step("fetch topic", kind="database") as step:
            step["output"] = "tea"
        with run.step("generate outline", kind="llm"):
            run.llm_call(
                "gpt-4o-mini",
                provider="openai",
                usage={"prompt_tokens": 412, "completion_tokens": 96},
                latency_ms=1200,
                prompt="Outline a post about tea.",
                response="1. Leaves 2. Water 3. Patience",
            )
        run.outcome("posts_generated", 1)
