"""The words for good and bad of every kind of page, and whether a document holds any of the bad.

It is written apart from the formats, and knows of a document only what an unhurried reader would: a
word at a key, unless what it is said of is over, planned, or the past.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_STATUSPAGE = {
    *("minor", "major", "critical"),
    *("degraded_performance", "partial_outage", "major_outage", "full_outage"),
}
BAD: Mapping[str, set[str]] = {
    "statuspage": _STATUSPAGE,
    "incidentio": _STATUSPAGE,
    "rootly": {"minor", "major", "critical"},
    "instatus": {
        *("hasissues", "degradedperformance", "partialoutage", "minoroutage", "majoroutage"),
    },
    "betterstack": {"degraded", "downtime"},
    "statusio": {"300", "400", "500", "600"},
    "slack": {"incident", "outage"},
    "gcp": {"service_disruption", "service_outage"},
    "aws": {"2", "3"},
    "uptimerobot": {"warning", "danger"},
    "pagerduty": {"minor", "major", "true"},
    "azure_rss": set(),
    "feed": set(),
}
GOOD: Mapping[str, tuple[object, ...]] = {
    "statuspage": ("none", "operational", "maintenance", "under_maintenance", "resolved"),
    "incidentio": ("none", "operational", "maintenance", "under_maintenance", "resolved"),
    "rootly": ("none", "maintenance", "resolved"),
    "instatus": ("UP", "UNDERMAINTENANCE", "OPERATIONAL", "RESOLVED"),
    "betterstack": ("operational", "maintenance", "not_monitored", "resolved"),
    "statusio": (100, 200, "100"),
    "slack": ("ok", "notice", "maintenance", "resolved"),
    "gcp": ("AVAILABLE", "SERVICE_INFORMATION"),
    "aws": ("0", 0, "1", 1),
    "uptimerobot": ("success", 0),
    "pagerduty": ("all_good", "maintenance", False),
    "azure_rss": (),
    "feed": (),
}
SILENT_WHEN_WELL = frozenset({"aws", "gcp", "azure_rss", "feed"})
"""Kinds of which what is well is not on the page."""

_KEYS = {
    *("indicator", "impact", "status", "aggregate_state", "status_code", "status_impact"),
    *("current", "statusClass", "severity", "globalStatusHeadlineHasError", "type"),
}
_NOT_NOW = {
    *("incident_updates", "event_log", "status_history", "notes"),
    *("scheduled_maintenances", "activeMaintenances", "maintenance"),
}
_OVER = {
    "statuspage": {"resolved", "postmortem"},
    "incidentio": {"resolved", "postmortem"},
    "rootly": {"resolved", "postmortem", "scheduled", "in_progress", "completed"},
    "instatus": {"resolved"},
    "slack": {"resolved", "completed", "cancelled", "scheduled"},
}


def bad_words(kind: str, value: object, here: tuple[str | int, ...] = ()) -> Iterator[Any]:
    """Yield where in a document a bad word is said of what is now."""
    if isinstance(value, dict):
        if _is_over(kind, value):
            return
        for key, child in value.items():
            if key in _NOT_NOW or (kind == "gcp" and key == "updates"):
                continue
            if kind == "pagerduty" and key == "updates" and isinstance(child, list):
                child = child[:1]  # the newest
            if _is_bad(kind, key, child):
                yield (*here, key)
            yield from bad_words(kind, child, (*here, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from bad_words(kind, child, (*here, index))


def _is_bad(kind: str, key: str, value: object) -> bool:
    if kind == "uptimerobot" and key == "down":
        return isinstance(value, int) and value != 0
    is_word = isinstance(value, str | int)
    return is_word and key in _KEYS and str(value).strip().lower() in BAD[kind]


def _is_over(kind: str, node: Mapping[str, Any]) -> bool:
    match kind:
        case "betterstack":
            return (
                node.get("type") == "status_update"
                or node.get("aggregate_state") == "resolved"
                or node.get("report_type") == "maintenance"
            )
        case "statusio":
            messages = node.get("messages")
            listed = messages if isinstance(messages, list) else []
            return any(isinstance(one, dict) and str(one.get("state")) == "400" for one in listed)
        case "gcp":
            newest = node.get("most_recent_update")
            said = newest.get("status") if isinstance(newest, dict) else None
            return bool(node.get("end")) or str(said).strip().upper() == "AVAILABLE"
        case "aws":
            is_told_over = str(node.get("summary")).strip().upper().startswith("[RESOLVED]")
            return is_told_over or node.get("end_time") is not None
        case _:
            return str(node.get("status")).strip().lower() in _OVER.get(kind, set())
