"""Runs the resilient workflow under a clock that does not really wait; in a Python of its own.

Usage: resilient_worker.py FOLDER_OF_THE_EXAMPLE
Each line of its input is in JSON: whether a new worker begins, then batches, and pauses in seconds.
A line of its output says what posts came of each batch, and how long it slept between tries.
"""

import importlib
import json
import sys
import time

import circuitbreaker


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


def main(folder: str) -> None:
    sys.path.insert(0, folder)
    import workflow

    provider = workflow.instrument()
    clock = Clock()
    time.sleep = clock.sleep  # noqa: TID251 - it is replaced
    circuitbreaker.monotonic = clock.monotonic
    for line in sys.stdin:
        is_new, *entries = json.loads(line)
        if is_new:
            importlib.reload(workflow)
        clock.slept.clear()
        posts = []
        for entry in entries:
            if isinstance(entry, list):
                posts.append(workflow.write_all(entry))
            else:
                clock.now += entry
        provider.force_flush()
        sys.stdout.write(json.dumps({"posts": posts, "slept": clock.slept}) + "\n")
        sys.stdout.flush()
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
