"""The words: what sources say and sinks understand.

Times are aware UTC and end in `_at`; durations are float seconds; money is `Decimal` USD.
`None` means unknown, never zero.
"""

from exporter.records.baselines import RUNAWAY_MEASURES, Anomaly, Comparison, Measure
from exporter.records.budgets import (
    ActionDue,
    ActionKind,
    ActionState,
    ActionWanted,
    BudgetEvent,
    BudgetPeriod,
    BudgetScope,
    Crossing,
    RunSpend,
    Spend,
    SpendOf,
)
from exporter.records.executions import (
    FINAL_STATUSES,
    OPEN_STATUSES,
    CallSignal,
    CostSource,
    Execution,
    ExecutionGone,
    ExecutionStatus,
    LlmCall,
    Operation,
    Step,
    StepKind,
    StepSignal,
    Workflow,
)
from exporter.records.json import Json
from exporter.records.outcomes import Outcome
from exporter.records.spans import (
    Forwarding,
    Span,
    SpanEvent,
    TraceReading,
    TraceSeen,
    WholeExecution,
)
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
    | Outcome
    | Span
    | TraceSeen
    | TraceReading
    | WholeExecution
    | Forwarding
)
"""Everything a source may say."""

__all__ = [
    "FINAL_STATUSES",
    "OPEN_STATUSES",
    "RUNAWAY_MEASURES",
    "ActionDue",
    "ActionKind",
    "ActionState",
    "ActionWanted",
    "Amounts",
    "Anomaly",
    "Balance",
    "BucketWindow",
    "BudgetEvent",
    "BudgetPeriod",
    "BudgetScope",
    "CallSignal",
    "Comparison",
    "ComponentStatus",
    "CostBucket",
    "CostSource",
    "Crossing",
    "DimensionName",
    "Execution",
    "ExecutionGone",
    "ExecutionStatus",
    "Forwarding",
    "Incident",
    "IncidentPhase",
    "IncidentUpdate",
    "Json",
    "LlmCall",
    "Measure",
    "Operation",
    "Outcome",
    "PageReading",
    "Record",
    "RunSpend",
    "Span",
    "SpanEvent",
    "Spend",
    "SpendOf",
    "StatusLevel",
    "Step",
    "StepKind",
    "StepSignal",
    "TraceReading",
    "TraceSeen",
    "UnknownCause",
    "UsageBucket",
    "WholeExecution",
    "Workflow",
]
