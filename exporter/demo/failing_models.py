"""Simulated OpenAI and Anthropic whose calls fail at times: python -m exporter.demo.failing_models.

For trying what calls models without keys and bills; it says which variables to set.
"""

import random
import sys
import threading
from datetime import UTC, datetime

from exporter.demo.providers.anthropic_inference import AnthropicInference
from exporter.demo.providers.inference import Failure, InferenceBook, Mishap, Refusal
from exporter.demo.providers.openai_inference import API_KEY, OpenAiInference
from exporter.demo.providers.server import ProviderServer

_LIMITED = Failure(status=429, error="rate_limit_exceeded", message="Rate limit reached.")
DOWN = Failure(status=503, error="server_error", message="The engine is currently overloaded.")
"""What every call meets in an outage."""
_OUTAGE_EVERY, _OUTAGE_LASTS = 10, 3  # minutes


class MoodyBook(InferenceBook):
    """A provider's log, and its moods: one call in seven fails, and in an outage every one."""

    def __init__(self, outage: Mishap | None, rng: random.Random) -> None:
        super().__init__()
        self._outage = outage
        self._rng = rng

    def mishap_for(self, model: str) -> Mishap | None:
        """Return what a call meets now."""
        return self.mood_at(datetime.now(UTC))

    def mood_at(self, now: datetime) -> Mishap | None:
        """Return what a call meets at a moment: outages are the last minutes of every ten."""
        is_out = now.minute % _OUTAGE_EVERY >= _OUTAGE_EVERY - _OUTAGE_LASTS
        if self._outage is not None and is_out:
            return self._outage
        mood = self._rng.random()
        return _LIMITED if mood < 0.12 else Refusal() if mood < 0.14 else None


def main(stopped: threading.Event) -> None:
    """Serve until told to stop."""
    rng = random.Random()  # noqa: S311 - simulated chance
    gpt, claude = OpenAiInference(), AnthropicInference()
    gpt.book, claude.book = MoodyBook(DOWN, rng), MoodyBook(None, rng)
    with (
        ProviderServer(gpt, lambda: datetime.now(UTC)) as openai,
        ProviderServer(claude, lambda: datetime.now(UTC)) as anthropic,
    ):
        sys.stdout.write(
            f"export OPENAI_BASE_URL={openai.url}/v1 OPENAI_API_KEY={API_KEY}\n"
            f"export ANTHROPIC_BASE_URL={anthropic.url} ANTHROPIC_API_KEY={API_KEY}\n"
        )
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    try:
        main(threading.Event())
    except KeyboardInterrupt:
        sys.exit(0)
