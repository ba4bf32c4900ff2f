"""LiteLLM's table of calls as this LiteLLM has it, page after page."""

from collections.abc import Iterator, Sequence

from exporter.errors import SourceError
from exporter.sources.engine_database import EngineDatabase, Row
from exporter.sources.polling.spans import Span
from exporter.sql_files import named_statements

_REQUIRED = (
    "request_id", "startTime", "endTime", "model", "spend",
    "total_tokens", "prompt_tokens", "completion_tokens",
)  # fmt: skip
# Column → its type, for the NULL that stands in where a LiteLLM is too old to have it.
_OPTIONAL = {
    "call_type": "text",
    "completionStartTime": "timestamp",
    "model_group": "text",
    "custom_llm_provider": "text",
    "cache_hit": "text",
    "end_user": "text",
    "session_id": "text",
    "status": "text",
    "metadata": "jsonb",
    "request_tags": "jsonb",
}
_STATEMENTS = named_statements(__package__ or "", "litellm.sql")


class SpendLogs:
    """Reads "LiteLLM_SpendLogs" by time of start, and the names of keys and teams."""

    def __init__(self, database: EngineDatabase, *, page_rows: int, keys: Sequence[str]) -> None:
        self._database = database
        self._page_rows = page_rows
        self._keys = list(keys)

    def pages(self, span: Span) -> Iterator[list[Row]]:
        """Yield the calls that began in the span, oldest first.

        Raises:
            TransientError, SourceError: as EngineDatabase.query; or it is not the schema we know.
        """
        # Looked up each time: an upgrade adds columns, and a call that was told by another id
        # before would be counted twice.
        statement = self._statement()
        after, after_id = span.from_at, ""
        while True:
            rows = self._database.query(
                statement,
                {
                    "after": after,
                    "after_id": after_id,
                    "until": span.until_at,
                    "limit": self._page_rows,
                    "keys": self._keys,
                },
            )
            if rows:
                yield rows
            if len(rows) < self._page_rows:
                return
            after, after_id = rows[-1]["startTime"], rows[-1]["request_id"]

    def _statement(self) -> str:
        present = self._database.columns("LiteLLM_SpendLogs")
        missing = [name for name in _REQUIRED if name not in present]
        if missing:
            what = "table" if not present else f"column {', '.join(missing)} in"
            raise SourceError(
                f"there is no {what} {self._database.table('LiteLLM_SpendLogs')} that our role may "
                "read: is it LiteLLM's database, is `schema` right, is SELECT granted?",
                reason="schema",
            )
        names = {
            name: f's."{name}"' if name in present else f"NULL::{kind}"
            for name, kind in _OPTIONAL.items()
        }
        keys = self._database.columns("LiteLLM_VerificationToken")
        teams = self._database.columns("LiteLLM_TeamTable")
        has_keys = {"token", "key_alias"} <= keys and "api_key" in present
        has_teams = {"team_id", "team_alias"} <= teams and "team_id" in present
        names |= {
            "spend_logs": self._database.table("LiteLLM_SpendLogs"),
            "keys": self._database.table("LiteLLM_VerificationToken"),
            "teams": self._database.table("LiteLLM_TeamTable"),
            "key_alias": "k.key_alias" if has_keys else "NULL::text",
            "team_alias": "t.team_alias" if has_teams else "NULL::text",
        }
        joins = [_STATEMENTS["join_keys"]] if has_keys else []
        joins += [_STATEMENTS["join_teams"]] if has_teams else []
        text = _STATEMENTS["calls"].replace("{joins}", "\n".join(joins))
        for name, value in names.items():
            text = text.replace("{" + name + "}", value)
        return text
