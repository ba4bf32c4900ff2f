"""Grafana's provisioning files, strictly: it ignores a misspelt key, and exits on a bad value."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, JsonValue, model_validator

from grafana.src.notification_models import (
    ContactPoint,
    MessageTemplate,
    MuteTime,
    Policy,
    routes_below,
)
from grafana.src.provisioning_values import (
    Duration,
    PlainText,
    Strict,
    Text,
    Uid,
    duration_seconds,
)

EXPRESSIONS = "__expr__"


class PostgresOptions(Strict):
    """What the PostgreSQL plugin reads; without `database` it refuses every query."""

    database: Text
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"]
    timescaledb: bool
    postgresVersion: int  # noqa: N815 (Grafana's words, here and below)
    timeInterval: Duration  # noqa: N815
    maxOpenConns: Annotated[int, Field(gt=0)]  # noqa: N815
    maxIdleConns: Annotated[int, Field(gt=0)]  # noqa: N815
    connMaxLifetime: Annotated[int, Field(gt=0)]  # noqa: N815


class Password(Strict):
    """A secret, by the name of its variable."""

    password: Annotated[str, Field(pattern=r"^\$[A-Z][A-Z0-9_]*$")]


class Postgres(Strict):
    """A PostgreSQL data source."""

    type: Literal["grafana-postgresql-datasource"]
    name: Text
    uid: Uid
    access: Literal["proxy"]
    url: Text
    user: Text
    jsonData: PostgresOptions  # noqa: N815
    secureJsonData: Password  # noqa: N815
    editable: Literal[False]


class PrometheusOptions(Strict):
    """What the Prometheus plugin reads."""

    httpMethod: Literal["POST"]  # noqa: N815
    prometheusType: Literal["Prometheus"]  # noqa: N815
    timeInterval: Duration  # noqa: N815
    manageAlerts: bool  # noqa: N815


class Prometheus(Strict):
    """A Prometheus data source."""

    type: Literal["prometheus"]
    name: Text
    uid: Uid
    access: Literal["proxy"]
    url: Text
    isDefault: bool = False  # noqa: N815
    jsonData: PrometheusOptions  # noqa: N815
    editable: Literal[False]


class NodeGraph(Strict):
    """Whether a trace is drawn as a graph too."""

    enabled: bool


class TempoOptions(Strict):
    """What the Tempo plugin reads."""

    nodeGraph: NodeGraph  # noqa: N815


class CorrelationTarget(Strict):
    """Where a link leads."""

    url: Annotated[str, Field(pattern=r"^/d/")]


class CorrelationConfig(Strict):
    """Which field of a trace has the link."""

    field: Literal["traceID", "spanID"]
    target: CorrelationTarget


class Correlation(Strict):
    """A link from what a data source shows to another page."""

    type: Literal["external"]
    label: Text
    description: Text
    config: CorrelationConfig


class Tempo(Strict):
    """A Tempo data source."""

    type: Literal["tempo"]
    name: Text
    uid: Uid
    access: Literal["proxy"]
    url: Text
    jsonData: TempoOptions  # noqa: N815
    correlations: list[Correlation]
    editable: Literal[False]


class DatasourcesFile(Strict):
    """provisioning/datasources/*.yml."""

    apiVersion: Literal[1]  # noqa: N815
    prune: bool
    datasources: list[Annotated[Postgres | Prometheus | Tempo, Field(discriminator="type")]]

    @model_validator(mode="after")
    def _one_default_and_unique_uids(self) -> Self:
        if sum(getattr(source, "isDefault", False) for source in self.datasources) != 1:
            raise ValueError("exactly one data source is the default")
        _unique("uid of a data source", (source.uid for source in self.datasources))
        return self


class ProviderOptions(Strict):
    """Where a provider finds its files."""

    path: Text
    foldersFromFilesStructure: bool  # noqa: N815


class Provider(Strict):
    """A folder of dashboards; `folderUid` is left out, alert rules make folders by title."""

    name: Text
    orgId: Literal[1]  # noqa: N815
    type: Literal["file"]
    folder: Text
    disableDeletion: bool  # noqa: N815
    updateIntervalSeconds: Annotated[int, Field(ge=10)]  # noqa: N815
    allowUiUpdates: Literal[False]  # noqa: N815
    options: ProviderOptions


class DashboardsFile(Strict):
    """provisioning/dashboards/*.yml."""

    apiVersion: Literal[1]  # noqa: N815
    providers: Annotated[list[Provider], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        _unique("name of a provider", (provider.name for provider in self.providers))
        return self


class RelativeTimeRange(Strict):
    """Seconds before now."""

    from_: Annotated[int, Field(ge=0, alias="from")]
    to: Annotated[int, Field(ge=0)]


class AlertQuery(Strict):
    """A query or an expression; Grafana leaves `model` as it is."""

    refId: Annotated[str, Field(pattern=r"^[A-Z]$")]  # noqa: N815
    relativeTimeRange: RelativeTimeRange  # noqa: N815
    datasourceUid: Uid  # noqa: N815
    model: dict[str, JsonValue]


class AlertRule(Strict):
    """A rule; both states are named, since the file's own default for errors is an alert."""

    uid: Uid
    title: Annotated[Text, Field(max_length=190)]
    condition: Annotated[str, Field(pattern=r"^[A-Z]$")]
    for_: Annotated[Duration, Field(alias="for")]
    keepFiringFor: Duration = "0s"  # noqa: N815
    missing_series_evals_to_resolve: Annotated[int, Field(ge=1)] = 2
    noDataState: Literal["NoData", "Alerting", "OK", "KeepLast"]  # noqa: N815
    execErrState: Literal["Error", "Alerting", "OK", "KeepLast"]  # noqa: N815
    isPaused: bool = False  # noqa: N815
    dashboardUid: Uid | None = None  # noqa: N815
    panelId: int | None = None  # noqa: N815
    labels: dict[str, Text]
    annotations: dict[str, PlainText]
    data: Annotated[list[AlertQuery], Field(min_length=1)]

    @model_validator(mode="after")
    def _references(self) -> Self:
        refs = [query.refId for query in self.data]
        _unique("refId", refs)
        if self.condition not in refs:
            raise ValueError(f"the condition {self.condition} is none of {refs}")
        for query in self.data:
            asked = query.model.get("expression")
            if query.datasourceUid == EXPRESSIONS and asked not in refs:
                raise ValueError(f"{query.refId} works on {asked!r}, which is none of {refs}")
            if query.model.get("refId") != query.refId:
                raise ValueError(f"{query.refId} has another refId in its model")
        return self

    @model_validator(mode="after")
    def _dashboard_and_panel(self) -> Self:
        uid = self.annotations.get("__dashboardUid__")
        panel = self.annotations.get("__panelId__")
        if (uid is None) != (panel is None):
            raise ValueError("__dashboardUid__ and __panelId__ go together")
        if panel is not None and not panel.isdecimal():
            raise ValueError(f"__panelId__ {panel!r} is no number")
        if (self.dashboardUid, self.panelId) != (uid, int(panel) if panel else None):
            raise ValueError("dashboardUid and panelId differ from the annotations")
        return self


class RuleGroup(Strict):
    """Rules evaluated together."""

    orgId: Literal[1]  # noqa: N815
    name: Text
    folder: Text
    interval: Duration
    rules: Annotated[list[AlertRule], Field(min_length=1)]

    @model_validator(mode="after")
    def _interval_fits_the_scheduler(self) -> Self:
        seconds = duration_seconds(self.interval)
        if seconds < 10 or seconds % 10:
            raise ValueError(f"the interval {self.interval} is no multiple of 10s")
        return self


class AlertingFile(Strict):
    """provisioning/alerting/*.yaml, or all of them joined."""

    apiVersion: Literal[1]  # noqa: N815
    groups: list[RuleGroup] = Field(default_factory=list)
    contactPoints: list[ContactPoint] = Field(default_factory=list)  # noqa: N815
    policies: Annotated[list[Policy], Field(max_length=1)] = Field(default_factory=list)
    muteTimes: list[MuteTime] = Field(default_factory=list)  # noqa: N815
    templates: list[MessageTemplate] = Field(default_factory=list)

    @model_validator(mode="after")
    def _unique_and_known_names(self) -> Self:
        _unique("uid of a rule", (rule.uid for group in self.groups for rule in group.rules))
        receivers = [receiver for point in self.contactPoints for receiver in point.receivers]
        _unique("uid of a receiver", (receiver.uid for receiver in receivers))
        points = {point.name for point in self.contactPoints}
        mutes = {mute.name for mute in self.muteTimes}
        for policy in self.policies:
            routes = list(routes_below(policy.routes))
            if lost := {policy.receiver, *(route.receiver for route in routes)} - points:
                raise ValueError(f"no contact point has the name {sorted(lost)}")
            if lost := {m for route in routes for m in route.mute_time_intervals or ()} - mutes:
                raise ValueError(f"no mute time has the name {sorted(lost)}")
        return self


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name!r} is taken twice")
        seen.add(name)


def read_alerting(folder: Path) -> AlertingFile:
    """Read all alerting files of a folder as one; Grafana too joins them before it looks."""
    joined: dict[str, object] = {"apiVersion": 1}
    for path in sorted(folder.glob("*.y*ml")):
        for key, value in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            before = joined.get(key)
            joined[key] = [*before, *value] if isinstance(before, list) else value
    return AlertingFile.model_validate(joined)
