"""Deepgram's projects: everything else is asked for of each of them; names and balances.

https://developers.deepgram.com/reference/manage/projects/list
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

import msgspec

from exporter.errors import RefusedRequestError, SourceError
from exporter.http_client import HttpClient
from exporter.records import Balance, DimensionName
from exporter.sources.polling.wire import dollars


class Project(msgspec.Struct):
    """A project as the key sees it."""

    project_id: str
    name: str | None = None

    def path(self, path: str) -> str:
        """Return where something of the project is."""
        return f"projects/{quote(self.project_id, safe='')}/{path}"


class _Projects(msgspec.Struct):
    projects: list[Project]


class _Left(msgspec.Struct):
    balance_id: str
    amount: Decimal
    units: str


class _Balances(msgspec.Struct):
    balances: list[_Left]


class _ApiKey(msgspec.Struct):
    api_key_id: str
    comment: str | None = None


class _Member(msgspec.Struct):
    api_key: _ApiKey


class _Keys(msgspec.Struct):
    api_keys: list[_Member]


class Projects:
    """Knows which projects are read."""

    def __init__(self, http: HttpClient, source: str, wanted: Sequence[str]) -> None:
        self._http = http
        self._source = source
        self._wanted = frozenset(wanted)

    def all(self) -> list[Project]:
        """Read the projects.

        Raises:
            SourceError: there is none, or not every one that is configured: that is not no use.
        """
        seen = self._http.get("projects", into=_Projects).projects
        found = [one for one in seen if not self._wanted or one.project_id in self._wanted]
        missing = self._wanted - {one.project_id for one in found}
        if missing or not found:
            raise SourceError(
                f"Deepgram's key sees no project {', '.join(sorted(missing))}".rstrip(),
                reason="request_refused",
            )
        return found

    def balances(self, now: datetime) -> list[Balance]:
        """Read what is left of each purchase, under its id."""
        return [
            Balance(
                source=self._source,
                provider="deepgram",
                balance=f"{project.name or project.project_id}: {left.balance_id}",
                unit=left.units.upper() if left.units.lower() == "usd" else left.units,
                observed_at=now,
                remaining=dollars(left.amount),
            )
            for project in self.all()
            for left in self._http.get(project.path("balances"), into=_Balances).balances
        ]

    def names(self) -> list[DimensionName]:
        """Read the names of projects, and of keys where our key may read those."""
        found: list[DimensionName] = []
        for project in self.all():
            if project.name:
                found.append(self._named("project_id", project.project_id, project.name))
            found += self._key_names(project)
        return found

    def _key_names(self, project: Project) -> Iterator[DimensionName]:
        try:
            members = self._http.get(project.path("keys"), into=_Keys).api_keys
        except RefusedRequestError as error:
            if error.status != 403:
                raise
            return
        for member in members:
            if member.api_key.comment:
                yield self._named("api_key_id", member.api_key.api_key_id, member.api_key.comment)

    def _named(self, dimension: str, id_: str, name: str) -> DimensionName:
        return DimensionName(source=self._source, dimension=dimension, id=id_, name=name)
