"""The words: what sources say and sinks understand.

Times are aware UTC and end in `_at`; durations are float seconds; money is `Decimal` USD.
`None` means unknown, never zero.
"""

from exporter.records.executions import (
    FINAL_STATUSES,
    OPEN_STATUSES,
    CostSource,
    Execution,
    ExecutionGone,
    ExecutionStatus,
    LlmCall,
    Operation,
    Step,
    StepKind,
    Workflow,
)
from exporter.records.json import Json
from exporter.records.spend import (
    Amounts,
    Balance,
    BucketWindow,
    CostBucket,
    DimensionName,
    UsageBucket,
)
from exporter.records.status import (
    ComponentStatus,
    Incident,
    IncidentPhase,
    IncidentUpdate,
    PageReading,
    StatusLevel,
    UnknownCause,
)

Record = (
    Workflow
    | Execution
    | ExecutionGone
    | Step
    | LlmCall
    | BucketWindow
    | DimensionName
    | Balance
    | PageReading
)
"""Everything a source may say."""

__all__ = [
    "FINAL_STATUSES",
    "OPEN_STATUSES",
    "Amounts",
    "Balance",
    "BucketWindow",
    "ComponentStatus",
    "CostBucket",
    "CostSource",
    "DimensionName",
    "Execution",
    "ExecutionGone",
    "ExecutionStatus",
    "Incident",
    "IncidentPhase",
    "IncidentUpdate",
    "Json",
    "LlmCall",
    "Operation",
    "PageReading",
    "Record",
    "StatusLevel",
    "Step",
    "StepKind",
    "UnknownCause",
    "UsageBucket",
    "Workflow",
]
