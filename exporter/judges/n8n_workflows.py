"""Switches an n8n's workflows off and on, by its public API.

Paths: https://docs.n8n.io/api/; /unpublish and /publish since n8n 2, /deactivate and /activate
before and still.
"""

from typing import Any
from urllib.parse import quote

from exporter.budget_settings import N8nApi
from exporter.errors import RefusedRequestError
from exporter.http_client import HttpClient

_NOT_FOUND = 404


class N8nWorkflows:
    """The workflows of one n8n."""

    def __init__(self, api: N8nApi) -> None:
        """Prepare; nothing is asked yet.

        Raises:
            ConfigurationError: the address cannot be.
        """
        # An n8n of one's own network is what most people have.
        self._client = HttpClient(
            f"{api.url.rstrip('/')}/api/v1",
            headers={"X-N8N-API-KEY": api.key.get_secret_value()},
            allow_private=True,
            deadline_seconds=15,
        )

    def active_version(self, workflow_id: str) -> dict[str, str] | None:
        """Return what is needed to switch it on again as it is; None: it is off.

        Raises:
            TransientError, SourceError: n8n does not answer, or does not let us.
        """
        told = self._client.get(_path(workflow_id), into=dict[str, Any])
        if not told.get("active"):
            return None
        version = told.get("activeVersionId")  # since n8n 2
        return {"active": "true"} | ({"version_id": version} if isinstance(version, str) else {})

    def pause(self, workflow_id: str) -> None:
        """Switch it off: schedules stop, webhooks answer 404; runs under way go on.

        Raises:
            TransientError, SourceError: as of `active_version`.
        """
        self._call(workflow_id, ("unpublish", "deactivate"), {})

    def resume(self, workflow_id: str, remembered: dict[str, str]) -> None:
        """Switch it on, in the version that was active.

        Raises:
            TransientError, SourceError: as of `active_version`.
        """
        # Without it n8n would publish the latest draft.
        version = remembered.get("version_id")
        self._call(workflow_id, ("publish", "activate"), {"versionId": version} if version else {})

    def _call(self, workflow_id: str, names: tuple[str, str], body: dict[str, str]) -> None:
        new, old = names
        try:
            self._client.post(f"{_path(workflow_id)}/{new}", body, into=dict[str, Any])
        except RefusedRequestError as error:
            if error.status != _NOT_FOUND:
                raise
            self._client.post(f"{_path(workflow_id)}/{old}", body, into=dict[str, Any])


def _path(workflow_id: str) -> str:
    return f"workflows/{quote(workflow_id, safe='')}"
