"""Settings of what is concluded: what is expected of a workflow, and what it may cost."""

from exporter.baseline_settings import WorkflowBaselineSettings
from exporter.setting_types import SourceName, Strict


class WorkflowSettings(Strict):
    """What is expected of one workflow, beyond what its history tells."""

    workflow: str
    """Its name as shown in `executions`."""
    source: SourceName | None = None
    """The source it is read from; none means any."""
    baselines: WorkflowBaselineSettings = WorkflowBaselineSettings()
    """What of `baselines` is another for it."""

    def is_of(self, source: str, workflow: str) -> bool:
        """Whether a workflow is the one that is meant."""
        return self.workflow == workflow and self.source in (None, source)
