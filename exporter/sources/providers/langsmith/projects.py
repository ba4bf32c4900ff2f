"""LangSmith's tracing projects, which its API calls sessions.

https://docs.langchain.com/langsmith/smith-api-reference: GET /api/v1/sessions, which is to go in
July 2027, then GET /api/v2/sessions.
"""

from collections.abc import Sequence

import msgspec

from exporter.http_client import HttpClient
from exporter.sources.polling.paging import pages
from exporter.sources.providers.langsmith.either import Either

_A_PAGE = 100


class Project(msgspec.Struct):
    """A tracing project."""

    id: str
    name: str | None = None


class _Page(msgspec.Struct):
    items: list[Project]
    next_cursor: str | None = None


class Projects:
    """Reads the projects of a workspace, without those that evaluations make."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._apis = Either()

    def read(self) -> list[Project]:
        """Return them; raises as HttpClient and `pages` do."""
        return self._apis.ask(self._by_offset, self._by_cursor)

    def _by_offset(self) -> list[Project]:
        found: dict[str, Project] = {}

        def ask(offset: str | None) -> list[Project]:
            paging = [("limit", str(_A_PAGE)), ("offset", offset or "0")]
            return self._http.get(
                "api/v1/sessions", [*paging, ("reference_free", "true")], into=list[Project]
            )

        def next_offset(page: Sequence[Project]) -> str | None:
            known = len(found)
            found.update({project.id: project for project in page})
            is_last = len(page) < _A_PAGE or len(found) == known
            return None if is_last else str(len(found))

        for _ in pages(ask, next_offset):
            pass
        return list(found.values())

    def _by_cursor(self) -> list[Project]:
        def ask(cursor: str | None) -> _Page:
            paging = [("page_size", str(_A_PAGE)), *([("cursor", cursor)] if cursor else [])]
            types = [("type", "PROJECT"), ("type", "AGENT")]
            return self._http.get("api/v2/sessions", [*types, *paging], into=_Page)

        found = pages(ask, lambda page: page.next_cursor or None)
        return [project for page in found for project in page.items]
