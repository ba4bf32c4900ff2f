"""incident.io: how a page of it imitates Statuspage's API v2, and where it does not."""

from dataclasses import dataclass
from datetime import datetime

from exporter.demo.published_status import PublishedIncident, PublishedStatus
from exporter.demo.status_words import headline, time_of, ulid
from exporter.demo.workflow_model import Json


@dataclass(frozen=True, slots=True)
class IncidentIo:
    """ULIDs, null for an empty list, incidents of no component."""

    name: str
    url: str
    founded_at: datetime

    def summary(self, status: PublishedStatus) -> Json:
        """Return summary.json."""
        return {
            **self.components(status),
            "incidents": [self._incident(one) for one in status.open_incidents] or None,
            "scheduled_maintenances": None,
            "status": headline(status),
        }

    def components(self, status: PublishedStatus) -> Json:
        """Return components.json."""
        return {
            "page": self._page(status),
            "components": [
                {
                    "id": ulid(self.founded_at, f"{self.name} {one.name}"),
                    "name": one.name,
                    "status": one.status,
                    "position": position,
                    "description": "",
                    "created_at": time_of(self.founded_at),
                    "updated_at": time_of(one.changed_at),
                }
                for position, one in enumerate(status.components, start=1)
            ],
        }

    def incidents(self, status: PublishedStatus) -> Json:
        """Return incidents.json."""
        return {
            "page": self._page(status),
            "incidents": [self._incident(one) for one in status.incidents] or None,
        }

    def _page(self, status: PublishedStatus) -> Json:
        page = {"id": ulid(self.founded_at, self.name), "name": self.name, "url": self.url}
        return page | {"updated_at": time_of(status.updated_at)}

    def _incident(self, incident: PublishedIncident) -> Json:
        about = f"{self.name} {time_of(incident.created_at)}"
        return {
            "id": ulid(incident.created_at, about),
            "name": incident.title,
            "status": incident.newest.status,
            "impact": incident.impact.name.lower(),
            "created_at": time_of(incident.created_at),
            "updated_at": time_of(incident.newest.at),
            "resolved_at": time_of(incident.reached("resolved")),
            "shortlink": None,
            "incident_updates": [
                {
                    "id": ulid(update.at, f"{about} {update.status}"),
                    "status": update.status,
                    "body": update.body,
                    "created_at": time_of(update.at),
                    "display_at": time_of(update.at),
                }
                for update in reversed(incident.updates)
            ],
        }
