"""Asks the exporter's gate before a model call. Copy it: it needs the standard library only.

    gate = Gate(execution_id=run_id, customer="acme", workflow="content_generator")
    model = gate.model("openai", "gpt-4o", input=prompt, max_output_tokens=800)
    client.chat.completions.create(model=model, messages=messages, max_tokens=800)

`model` raises `DeniedError` with the reason, or returns the cheaper model that the gate names if
`cheaper=True`. Environment: AIWF_URL (http://127.0.0.1:9849) and AIWF_TOKEN.
"""

import json
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

URL = os.environ.get("AIWF_URL", "http://127.0.0.1:9849")
TOKEN = os.environ.get("AIWF_TOKEN", "")


class DeniedError(Exception):
    """The gate says no; `answer` is all that it said."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(str(answer.get("reason") or "the gate does not answer"))
        self.answer = answer


class Gate:
    """Asks for one run."""

    def __init__(
        self, *, timeout_seconds: float = 0.5, when_silent: str = "allow", **run: str
    ) -> None:
        self._run = run
        self._timeout = timeout_seconds
        self._when_silent = when_silent

    def ask(self, **question: object) -> dict[str, Any]:
        """Return the gate's answer; one that does not answer is taken as configured."""
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's
            f"{URL}/v1/gate",
            json.dumps({**self._run, **question}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if error.code in (400, 401, 404, 413):  # the question is wrong, not the gate
                raise
        except (OSError, HTTPException, ValueError):
            pass
        return {"allow": self._when_silent == "allow", "code": "silent", "cheaper_models": []}

    def model(self, provider: str, model: str, *, cheaper: bool = False, **question: object) -> str:
        """Return the model to call.

        Raises:
            DeniedError: neither it nor, if asked for, a cheaper one may be called.
        """
        answer = self.ask(provider=provider, model=model, **question)
        if answer["allow"]:
            return model
        for other in answer["cheaper_models"] if cheaper else ():
            if other["provider"] == provider:
                again = self.ask(provider=provider, model=other["model"], **question)
                if again["allow"]:
                    return str(other["model"])
        raise DeniedError(answer)


if __name__ == "__main__":
    example = Gate(execution_id="example", customer="acme", workflow="content_generator")
    print(
        json.dumps(
            example.ask(provider="openai", model="gpt-4o", input="tea", max_output_tokens=200)
        )
    )
