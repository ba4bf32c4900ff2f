"""The team whose bills are asked for."""

from urllib.parse import quote

import msgspec

from exporter.errors import SourceError
from exporter.http_client import HttpClient


class _Key(msgspec.Struct, rename="camel"):
    team_id: str | None = None
    scope: str | None = None
    scope_id: str | None = None


class Team:
    """Knows the paths of a team; which team it is, the management key says."""

    def __init__(self, http: HttpClient, team_id: str | None) -> None:
        self._http = http
        self._team_id = team_id

    def path(self, path: str) -> str:
        """Return where something of the team's bills is."""
        if self._team_id is None:
            self._team_id = self._of_key()
        return f"v1/billing/teams/{quote(self._team_id, safe='')}/{path}"

    def _of_key(self) -> str:
        key = self._http.get("auth/management-keys/validation", into=_Key)
        found = key.team_id or (key.scope_id if key.scope == "SCOPE_TEAM" else None)
        if not found:
            raise SourceError(
                "xAI names no team that the management key belongs to: set team_id",
                reason="request_refused",
            )
        return found
