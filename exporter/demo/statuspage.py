"""Atlassian Statuspage: how a page of it puts what it publishes into JSON, API v2."""

from dataclasses import dataclass

from exporter.demo.published_status import (
    OPERATIONAL,
    PublishedComponent,
    PublishedIncident,
    PublishedStatus,
    PublishedUpdate,
)
from exporter.demo.status_words import headline, short_id, time_of
from exporter.demo.workflow_model import Json


@dataclass(frozen=True, slots=True)
class Statuspage:
    """Atlassian Statuspage: short ids, components on incidents until they are resolved."""

    name: str
    url: str

    def summary(self, status: PublishedStatus) -> Json:
        """Return summary.json."""
        return {
            **self.components(status),
            "incidents": [self._incident(one) for one in status.open_incidents],
            "scheduled_maintenances": [],
            "status": headline(status),
        }

    def components(self, status: PublishedStatus) -> Json:
        """Return components.json."""
        return {
            "page": self._page(status),
            "components": [
                self._component(one, position)
                for position, one in enumerate(status.components, start=1)
            ],
        }

    def incidents(self, status: PublishedStatus) -> Json:
        """Return incidents.json."""
        return {
            "page": self._page(status),
            "incidents": [self._incident(one) for one in status.incidents],
        }

    @property
    def _page_id(self) -> str:
        return short_id(self.name)

    def _component_id(self, name: str) -> str:
        return short_id(f"{self.name} {name}")

    def _page(self, status: PublishedStatus) -> Json:
        page = {"id": self._page_id, "name": self.name, "url": self.url, "time_zone": "Etc/UTC"}
        return page | {"updated_at": time_of(status.updated_at)}

    def _component(self, component: PublishedComponent, position: int) -> Json:
        return {
            "id": self._component_id(component.name),
            "name": component.name,
            "status": component.status,
            "created_at": "2023-07-11T17:59:26.000Z",
            "updated_at": time_of(component.changed_at),
            "position": position,
            "description": None,
            "showcase": True,
            "start_date": "2023-07-11",
            "group_id": None,
            "page_id": self._page_id,
            "group": False,
            "only_show_if_degraded": False,
        }

    def _incident(self, incident: PublishedIncident) -> Json:
        incident_id = short_id(f"{self.name} {time_of(incident.created_at)}")
        return {
            "id": incident_id,
            "name": incident.title,
            "status": incident.newest.status,
            "impact": incident.impact.name.lower(),
            "created_at": time_of(incident.created_at),
            "updated_at": time_of(incident.newest.at),
            "started_at": time_of(incident.created_at),
            "monitoring_at": time_of(incident.reached("monitoring")),
            "resolved_at": time_of(incident.reached("resolved")),
            "shortlink": f"{self.url}/incidents/{incident_id}",
            "page_id": self._page_id,
            # Pages unlink components at the end: then only the updates still name them.
            "components": [
                {
                    "id": self._component_id(name),
                    "name": name,
                    "status": incident.component_status,
                }
                for name in incident.components
                if incident.is_open
            ],
            "incident_updates": [
                self._update(incident, incident_id, update) for update in reversed(incident.updates)
            ],
        }

    def _update(
        self, incident: PublishedIncident, incident_id: str, update: PublishedUpdate
    ) -> Json:
        is_first = update is incident.updates[0]
        is_last = update.status == "resolved"
        return {
            "id": short_id(f"{incident_id} {update.status}"),
            "incident_id": incident_id,
            "status": update.status,
            "body": update.body,
            "created_at": time_of(update.at),
            "updated_at": time_of(update.at),
            "display_at": time_of(update.at),
            "affected_components": [
                {
                    "code": self._component_id(name),
                    "name": name,
                    "old_status": OPERATIONAL if is_first else incident.component_status,
                    "new_status": OPERATIONAL if is_last else incident.component_status,
                }
                for name in incident.components
            ],
            "deliver_notifications": True,
            "custom_tweet": None,
            "tweet_id": None,
        }
