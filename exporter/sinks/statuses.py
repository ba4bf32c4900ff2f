"""Readings of status pages → tables: what changed since the last one, and what is true now."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from exporter.records import (
    ComponentStatus,
    Incident,
    IncidentUpdate,
    PageReading,
    UnknownCause,
)
from exporter.sinks.staging import fitted, storable
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "status.sql")
Row = dict[str, Any]


def merge_readings(connection: psycopg.Connection[Row], readings: Iterable[PageReading]) -> None:
    """Write readings in the order of their times; one that is older than what is stored is none."""
    for reading in sorted(readings, key=lambda reading: (reading.observed_at, reading.page)):
        _Merge(connection, reading).apply()


class _Merge:
    def __init__(self, connection: psycopg.Connection[Row], reading: PageReading) -> None:
        self._connection = connection
        self._reading = reading
        self._key = {"source": reading.source, "page": fitted(reading.page)}

    def _run(self, name: str, **parameters: object) -> psycopg.Cursor[Row]:
        return self._connection.execute(_STATEMENTS[name].encode(), {**self._key, **parameters})

    def apply(self) -> None:
        reading = self._reading
        page = self._run("stored_page").fetchone()
        if page is not None and page["read_at"] > reading.observed_at:
            return
        self._run(
            "describe_page",
            title=storable(reading.title),
            url=storable(reading.url),
            kind=reading.kind,
            providers=[fitted(provider) for provider in reading.providers],
            alert=reading.alert,
            is_selective=reading.is_selective,
            moved_to=None if reading.moved_to is None else storable(reading.moved_to),
            read_at=reading.observed_at,
            believed_until=reading.believed_until,
        )
        stored = {row["component"]: row for row in self._run("stored_statuses")}
        if page is not None and page["believed_until"] < reading.observed_at:
            stored = self._leave_dark(stored, page["believed_until"])
        told: dict[str, ComponentStatus] = {}
        for status in reading.statuses:
            told.setdefault(fitted(status.component), status)
        gone = [component for component in stored if component not in told]
        told |= {component: self._untold(component) for component in gone}
        moved = [
            _row(component, status, stored.get(component), reading.observed_at)
            for component, status in told.items()
            if _is_news(status, stored.get(component), reading.observed_at)
        ]
        if moved:
            self._run("add_samples", moved=Jsonb(moved))
            self._run("replace_present", moved=Jsonb(moved))
        if gone and reading.is_complete:
            self._run("forget_components", components=gone)
        self._merge_incidents()

    def _leave_dark(self, stored: Mapping[str, Row], dark_from: datetime) -> dict[str, Row]:
        """Say of a time in which nobody looked that nothing is known of it."""
        unknown = {"level": None, "raw": "nobody looked", "cause": UnknownCause.NOT_WATCHED}
        at = dark_from.isoformat()
        moved = [{"component": component, "observed_at": at, **unknown} for component in stored]
        self._run("add_samples", moved=Jsonb(moved))
        return {component: {**row, **unknown} for component, row in stored.items()}

    def _untold(self, component: str) -> ComponentStatus:
        """Return what is true of a component that the reading says nothing of."""
        if self._reading.is_complete:
            cause, raw = UnknownCause.MISSING, "no longer listed"
        else:
            whole = next(one for one in self._reading.statuses if not one.component)
            cause, raw = whole.cause or UnknownCause.UNPARSABLE, whole.raw
        return ComponentStatus(component=component, level=None, raw=raw, cause=cause)

    def _merge_incidents(self) -> None:
        reading = self._reading
        incidents = {fitted(one.incident_id): one for one in reading.incidents}
        if incidents:
            rows = [_incident_row(key, one) for key, one in incidents.items()]
            self._run("merge_incidents", incidents=Jsonb(rows), observed_at=reading.observed_at)
        updates = {
            (key, fitted(update.update_id)): update
            for key, incident in incidents.items()
            for update in incident.updates
        }
        if updates:
            rows = [_update_row(*key, update) for key, update in updates.items()]
            self._run("merge_updates", updates=Jsonb(rows))
        if reading.is_complete:
            listed = list(incidents)
            self._run("close_vanished", listed=listed, observed_at=reading.observed_at)


def _is_news(status: ComponentStatus, stored: Row | None, observed_at: datetime) -> bool:
    """Whether it is a change, or the first reading of a UTC day."""
    return (
        stored is None
        or _is_change(status, stored)
        or stored["sampled_at"].date() != observed_at.date()
    )


def _is_change(status: ComponentStatus, stored: Mapping[str, Any]) -> bool:
    return (status.level, status.cause) != (stored["level"], stored["cause"])


def _row(
    component: str, status: ComponentStatus, stored: Row | None, observed_at: datetime
) -> dict[str, Any]:
    is_new = stored is None or _is_change(status, stored)
    since = observed_at if stored is None or is_new else stored["since"]
    return {
        "component": component,
        "observed_at": observed_at.isoformat(),
        "level": status.level,
        "raw": storable(status.raw),
        "cause": status.cause,
        "since": since.isoformat(),
    }


def _incident_row(incident_id: str, incident: Incident) -> dict[str, Any]:
    times = ("started_at", "published_at", "updated_at", "resolved_at")
    told = {name: getattr(incident, name) for name in times}
    return {
        "incident_id": incident_id,
        "title": storable(incident.title),
        "phase": incident.phase,
        "level": incident.level,
        "impact": storable(incident.impact),
        "status": storable(incident.status),
        "is_maintenance": incident.is_maintenance,
        "url": None if incident.url is None else storable(incident.url),
        "components": [fitted(one) for one in incident.components],
        **{name: at.isoformat() if at else None for name, at in told.items()},
    }


def _update_row(incident_id: str, update_id: str, update: IncidentUpdate) -> dict[str, Any]:
    return {
        "incident_id": incident_id,
        "update_id": update_id,
        "at": update.at.isoformat(),
        "status": storable(update.status),
        "body": storable(update.body),
    }
