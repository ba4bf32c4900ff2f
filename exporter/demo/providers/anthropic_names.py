"""Anthropic's lists of names: API keys, workspaces and users, in the older and newer shapes."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from exporter.demo.providers.anthropic_words import written
from exporter.demo.providers.ledger import Ledger, Named
from exporter.demo.providers.pages import listed_after
from exporter.demo.providers.wire import RefusalError, Request, allow_only, one

NEWER_VERSION = "2026-10-21"
DEFAULT_WORKSPACE = "wrkspc_default"

_PAGING = frozenset({"limit", "after_id"})


def named_list(
    ledger: Ledger, request: Request, path: Sequence[str], now: datetime
) -> Mapping[str, object]:
    """Return one page of the list at a path below the organization."""
    is_newer = request.headers.get("anthropic-version") == NEWER_VERSION
    match path:
        case ["api_keys"]:
            allow_only(request, _PAGING | {"status", "workspace_id"})
            status, workspace_id = one(request, "status"), one(request, "workspace_id")
            items = [
                _api_key(item, now, is_newer=is_newer)
                for item in _known(ledger, "api_key", now)
                if status in (None, _key_status(item, now))
                and workspace_id in (None, item.project_id)
            ]
        case ["workspaces"]:
            allow_only(request, _PAGING | {"include_archived", "include_default"})
            with_archived = one(request, "include_archived") == "true"
            items = [
                _workspace(item, now)
                for item in _known(ledger, "project", now)
                if with_archived or not _is_gone(item, now)
            ]
            if is_newer and one(request, "include_default") == "true":
                items.insert(0, _default_workspace())
        case ["users"]:
            allow_only(request, _PAGING)
            items = [_user(item) for item in _known(ledger, "user", now) if not _is_gone(item, now)]
        case _:
            raise RefusalError(404, "Not found")
    page, has_more = listed_after(
        request, items, parameter="after_id", most=1000, missing=_no_such_item
    )
    return {
        "data": page,
        "has_more": has_more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _no_such_item(item_id: str) -> RefusalError:
    return RefusalError(400, f"after_id: no such object {item_id}")


def _known(ledger: Ledger, kind: str, now: datetime) -> list[Named]:
    return [item for item in ledger.named(kind) if item.created_at <= now]


def _is_gone(item: Named, now: datetime) -> bool:
    return item.archived_at is not None and item.archived_at <= now


def _key_status(item: Named, now: datetime) -> str:
    return "archived" if _is_gone(item, now) else "active"


def _api_key(item: Named, now: datetime, *, is_newer: bool) -> dict[str, object]:
    where: dict[str, object] = {"workspace_id": item.project_id}
    if is_newer:
        workspace_id = item.project_id or DEFAULT_WORKSPACE
        where = {"scope": {"type": "workspace", "workspace_id": workspace_id}}
    return {
        "type": "api_key",
        "id": item.id,
        "name": item.name,
        "status": _key_status(item, now),
        "created_at": written(item.created_at),
        "created_by": {"id": "user_simulated", "type": "user"},
        "partial_key_hint": f"sk-ant-api03-…{item.id[-4:]}",
        "expires_at": None,
        **where,
    }


def _workspace(item: Named, now: datetime) -> dict[str, object]:
    is_archived = item.archived_at is not None and _is_gone(item, now)
    return {
        "type": "workspace",
        "id": item.id,
        "name": item.name,
        "created_at": written(item.created_at),
        "archived_at": written(item.archived_at) if is_archived and item.archived_at else None,
        "display_color": "#6C5BB9",
        "tags": {},
    }


def _default_workspace() -> dict[str, object]:
    return {
        "type": "workspace",
        "id": DEFAULT_WORKSPACE,
        "name": "Default",
        "archived_at": None,
        "tags": {},
    }


def _user(item: Named) -> dict[str, object]:
    return {
        "type": "user",
        "id": item.id,
        "name": item.name,
        "email": f"{item.id}@company.example",
        "role": "developer",
        "added_at": written(item.created_at),
    }
