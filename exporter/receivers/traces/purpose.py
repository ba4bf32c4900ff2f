"""For whom a span worked: the customer, project and team that its attributes name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import msgspec

from exporter.receivers.traces.attribute_values import Attributes, text_of
from exporter.receivers.traces.tree import Tree
from exporter.records import Span
from exporter.settings import TracesSettings

_CUSTOMER = ("aiwf.customer", "customer.id", "customer_id", "customer", "tenant.id", "tenant_id")
_PROJECT = ("aiwf.project", "project.id", "project_id", "project", "n8n.project.id")
_TEAM = ("aiwf.team", "team", "team.id", "team_id")
_RESOURCE_PROJECT = (*_PROJECT, "service.namespace")
# Where dialects put words that are not theirs.
_BEGINNINGS = (
    "traceloop.association.properties.",
    "n8n.workflow.custom.",
    "n8n.project.custom.",
    "n8n.node.custom.",
    "ai.telemetry.metadata.",
    "langfuse.trace.metadata.",
    "langsmith.metadata.",
    "metadata.",
)
_HIGHEST = 64  # levels above a call that are asked
_METADATA = "metadata"  # OpenInference: an object in JSON


class Purpose(NamedTuple):
    """Whom it was for, as far as that is told."""

    customer: str | None = None
    project: str | None = None
    team: str | None = None

    def filled_from(self, other: "Purpose") -> "Purpose":
        """Return this, and of the other what this leaves open."""
        return Purpose(
            self.customer or other.customer,
            self.project or other.project,
            self.team or other.team,
        )

    @property
    def is_full(self) -> bool:
        """Whether nothing is left open."""
        return None not in self


_NOTHING = Purpose()


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Which attributes name them: a key → which of the three it is of, and its rank there."""

    keys: Mapping[str, tuple[int, int]]

    def of(self, attributes: Attributes) -> Purpose:
        """Return what the attributes tell."""
        if _METADATA in attributes:
            attributes = {**_unpacked(attributes[_METADATA]), **attributes}
        named = self.keys.keys() & attributes.keys()
        if not named:
            return _NOTHING
        found: list[tuple[int, str] | None] = [None, None, None]
        for key in named:
            dimension, rank = self.keys[key]
            best = found[dimension]
            if (best is None or rank < best[0]) and (word := text_of(attributes[key])):
                found[dimension] = (rank, word)
        return Purpose(*(None if best is None else best[1] for best in found))


def dimensions_of(settings: TracesSettings, *, of_resource: bool = False) -> Dimensions:
    """Return which attributes count: those of the settings before those that are known anyway."""
    project = _RESOURCE_PROJECT if of_resource else _PROJECT
    return _dimensions(
        (*settings.customer, *_CUSTOMER), (*settings.project, *project), (*settings.team, *_TEAM)
    )


@lru_cache(maxsize=16)
def _dimensions(*names: tuple[str, ...]) -> Dimensions:
    keys: dict[str, tuple[int, int]] = {}
    for dimension, known in enumerate(names):
        every = [start + key for start in ("", *_BEGINNINGS) for key in known]
        for rank, key in enumerate(every):
            keys.setdefault(key, (dimension, rank))
    return Dimensions(keys)


def _unpacked(metadata: object) -> Attributes:
    if isinstance(metadata, str):
        try:
            metadata = msgspec.json.decode(metadata)
        except (msgspec.DecodeError, RecursionError):
            return {}
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(key, str)}


class Purposes:
    """For whom each span of a trace worked: its own words, else those of what it was part of."""

    def __init__(self, tree: Tree, settings: TracesSettings, top: Span | None) -> None:
        self._tree = tree
        self._dimensions = dimensions_of(settings)
        self._found: dict[str, Purpose] = {}
        self._of_trace = self._execution(dimensions_of(settings, of_resource=True), top)

    @property
    def of_execution(self) -> Purpose:
        """Return what the execution's span tells, else the earliest span or resource that does."""
        return self._of_trace

    def of_call(self, span: Span) -> Purpose:
        """Return whom a call was for."""
        purpose = self._own(span)
        for above in islice(self._tree.ancestors(span), _HIGHEST):
            if purpose.is_full:
                break
            purpose = purpose.filled_from(self._own(above))
        return purpose.filled_from(self._of_trace)

    def _own(self, span: Span) -> Purpose:
        found = self._found.get(span.span_id)
        if found is None:
            found = self._found[span.span_id] = self._dimensions.of(span.attributes)
        return found

    def _execution(self, of_resource: Dimensions, top: Span | None) -> Purpose:
        purpose = _NOTHING if top is None else self._own(top)
        for span in self._tree.spans:
            if purpose.is_full:
                return purpose
            purpose = purpose.filled_from(self._own(span))
        services: set[str] = set()
        for span in (*([] if top is None else [top]), *self._tree.spans):
            if span.service not in services:
                services.add(span.service)
                purpose = purpose.filled_from(of_resource.of(span.resource))
        return purpose
