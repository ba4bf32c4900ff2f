"""A simulated LiteLLM proxy's database: its spend logs, written late and in batches."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from exporter.demo.providers.call_book import CallBook, LoggedCall, Shown
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.demo.providers", "litellm_schema.sql")
KEYS = {"key-hash-1": "care-backend"}
TEAMS = {"team-1": "care"}
_MICROSECOND = timedelta(microseconds=1)


class LiteLlmDatabase:
    """Writes what a book of calls shows into LiteLLM's tables.

    `is_old` makes the tables of a LiteLLM of 2024, which lacks the newer columns.
    """

    def __init__(self, url: str, book: CallBook, *, is_old: bool = False) -> None:
        self.book = book
        self._url = url
        self._is_old = is_old
        self._written_until: datetime | None = None

    def create(self) -> None:
        """Create the tables, the key and the team."""
        with psycopg.connect(self._url) as connection:
            connection.execute(_STATEMENTS["create_old" if self._is_old else "create"].encode())
            for token, alias in KEYS.items():
                connection.execute(
                    _STATEMENTS["add_key"].encode(), {"token": token, "alias": alias}
                )
            for team_id, alias in TEAMS.items():
                connection.execute(
                    _STATEMENTS["add_team"].encode(), {"id": team_id, "alias": alias}
                )

    def write(self, now: datetime) -> int:
        """Write what became visible, or was corrected, since the last time; return how many."""
        since = self._written_until
        first = datetime(2020, 1, 1, tzinfo=UTC)
        changed = [
            shown
            for shown in self.book.shown(now, first, now + _MICROSECOND)
            if not shown.is_open and (since is None or shown.changed_at > since)
        ]
        self._written_until = now
        self._insert(changed)
        return len(changed)

    def _insert(self, changed: Iterable[Shown]) -> None:
        statement = _STATEMENTS["write_old" if self._is_old else "write"].encode()
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(statement, [_row(shown.call) for shown in changed])


def _row(call: LoggedCall) -> dict[str, Any]:
    naive = {
        name: at.astimezone(UTC).replace(tzinfo=None)
        for name, at in (
            ("started_at", call.started_at),
            ("finished_at", call.finished_at),
            # Without a stream, the end.
            ("first_token_at", call.first_token_at or call.finished_at),
        )
    }
    counted = call.error is None
    words = {"workflow": call.workflow, "note": "not asked for"}
    words |= {"customer": call.customer} if call.customer else {}
    return naive | {
        "request_id": call.call_id,
        "session_id": call.trace_id,
        "call_type": "aembedding" if call.is_embedding else "acompletion",
        "spend": float(call.cost_usd or 0),
        "total_tokens": call.input_tokens + call.output_tokens if counted else 0,
        "prompt_tokens": call.input_tokens if counted else 0,
        "completion_tokens": call.output_tokens if counted else 0,
        "model": call.model,
        "model_group": f"group-{call.model}",
        "provider": call.provider,
        "status": "success" if counted else "failure",
        "token": next(iter(KEYS)),
        "team_id": next(iter(TEAMS)),
        "end_user": "",
        "tags": Jsonb(["User-Agent: simulated", "nightly"]),
        "metadata": Jsonb(
            {
                "status": "success" if counted else "failure",
                "user_api_key_alias": None,
                "spend_logs_metadata": words,
                "error_information": {"error_class": call.error, "error_message": "You said: …"}
                if call.error
                else None,
                "usage_object": {
                    "prompt_tokens_details": {"cached_tokens": call.cached_input_tokens},
                    "completion_tokens_details": {"reasoning_tokens": call.reasoning_tokens},
                    "cache_read_input_tokens": call.cached_input_tokens,
                    "cache_creation_input_tokens": call.cache_write_tokens,
                }
                if counted
                else None,
                "cost_breakdown": {"total_cost": float(call.cost_usd)}
                if call.cost_usd is not None
                else None,
            }
        ),
    }
