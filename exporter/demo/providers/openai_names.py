"""OpenAI's lists of names: projects, users, and the API keys of a project."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from exporter.demo.providers.ledger import Ledger, Named
from exporter.demo.providers.pages import listed_after
from exporter.demo.providers.spans import EPOCH
from exporter.demo.providers.wire import RefusalError, Request, allow_only, one

_PAGING = frozenset({"limit", "after"})


def named_list(
    ledger: Ledger, request: Request, path: Sequence[str], now: datetime
) -> Mapping[str, object]:
    """Return one page of the list at a path below the organization."""
    match path:
        case ["projects"]:
            allow_only(request, _PAGING | {"include_archived"})
            with_archived = one(request, "include_archived") == "true"
            items = [
                _project(item, now)
                for item in _known(ledger, "project", now)
                if with_archived or not _is_gone(item, now)
            ]
        case ["projects", project_id, "api_keys"]:
            allow_only(request, _PAGING | {"owner_project_access"})
            if project_id not in ledger.names["project"]:
                raise RefusalError(404, f"No such project: {project_id}", code="not_found")
            with_hidden = one(request, "owner_project_access") == "any"
            items = [
                _api_key(item)
                for item in _known(ledger, "api_key", now)
                if item.project_id == project_id
                and (with_hidden or not item.is_hidden)
                and not _is_gone(item, now)
            ]
        case ["users"]:
            allow_only(request, _PAGING)
            items = [_user(item) for item in _known(ledger, "user", now) if not _is_gone(item, now)]
        case _:
            raise RefusalError(404, f"Invalid URL (GET {request.path})", code="not_found")
    page, has_more = listed_after(
        request, items, parameter="after", most=100, missing=_no_such_item
    )
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": has_more,
    }


def _no_such_item(item_id: str) -> RefusalError:
    return RefusalError(400, f"No such object: {item_id}", param="after", code="invalid_value")


def _known(ledger: Ledger, kind: str, now: datetime) -> list[Named]:
    return [item for item in ledger.named(kind) if item.created_at <= now]


def _is_gone(item: Named, now: datetime) -> bool:
    return item.archived_at is not None and item.archived_at <= now


def _project(item: Named, now: datetime) -> dict[str, object]:
    is_archived = _is_gone(item, now)
    return {
        "object": "organization.project",
        "id": item.id,
        "name": item.name,
        "created_at": _seconds(item.created_at),
        "archived_at": _seconds(item.archived_at) if is_archived else None,
        "status": "archived" if is_archived else "active",
    }


def _api_key(item: Named) -> dict[str, object]:
    return {
        "object": "organization.project.api_key",
        "id": item.id,
        "name": item.name,
        "redacted_value": f"sk-…{item.id[-4:]}",
        "created_at": _seconds(item.created_at),
        "last_used_at": None,
        "expires_at": None,
        "owner": {
            "type": "service_account",
            "service_account": {"id": f"svc_{item.id}", "name": item.name, "role": "member"},
        },
    }


def _user(item: Named) -> dict[str, object]:
    return {
        "object": "organization.user",
        "id": item.id,
        "name": item.name,
        "email": f"{item.id}@company.example",
        "role": "reader",
        "added_at": _seconds(item.created_at),
        "is_service_account": False,
    }


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int((at - EPOCH).total_seconds())
