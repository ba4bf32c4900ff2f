"""Panels: a thin layer over the SDK that lets none go without title, sentence and unit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

with warnings.catch_warnings():
    # Its classic builders announce the v2 schema, which Grafana's file provider refuses.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import bargauge as bargauge_builder
    from grafana_foundation_sdk.builders import common as common_builder
    from grafana_foundation_sdk.builders import dashboard as dashboard_builder
    from grafana_foundation_sdk.builders import stat as stat_builder
    from grafana_foundation_sdk.builders import statetimeline as timeline_builder
    from grafana_foundation_sdk.builders import table as table_builder
    from grafana_foundation_sdk.builders import text as text_builder
    from grafana_foundation_sdk.builders import timeseries as timeseries_builder
from grafana_foundation_sdk.models import common, text, units
from grafana_foundation_sdk.models import dashboard as model

from grafana.src.columns import Column, Steps, thresholds
from grafana.src.layout import GRID_COLUMNS, Cell
from grafana.src.targets import Target

COUNT = units.LocaleFormat  # 1,247 and not 1.25 K
TOKENS = units.Short
SECONDS = units.Seconds
RATIO = units.PercentUnit
USD = units.Dollars
PER_MINUTE = units.CountsPerMinute
TEXT = units.NoUnit
AGO = units.DateTimeFromNow
TIME = units.DatetimeDefault

NEUTRAL = "text"
PLAIN: Steps = ((None, NEUTRAL),)


def _words(texts: Mapping[str, tuple[str, str]]) -> model.ValueMap:
    return model.ValueMap(
        options={
            value: model.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(texts.items())
        }
    )


def _newest(calculation: str = "last") -> common_builder.ReduceDataOptions:
    # Not lastNotNull: where the present is unknown it would show the past in its place.
    return common_builder.ReduceDataOptions().calcs([calculation]).values(False)


def stat(
    title: str,
    *,
    width: int,
    help: str,  # noqa: A002 (what a reader of the panel calls it)
    unit: str,
    target: Target,
    no_value: str,
    steps: Steps = PLAIN,
    change: Literal["up is good", "down is good", "neutral"] | None = None,
    texts: Mapping[str, tuple[str, str]] | None = None,
    shows: Literal["value", "name", "value and name"] = "value",
    link: tuple[str, str] | None = None,
    is_text: bool = False,
) -> Cell:
    """Show the newest value in large type.

    With `change`, the query answers two rows, the earlier range and this one: the panel shows the
    second and its change from the first. `texts` says other words for single values, and a click
    on the value follows the `link`. A value that `is_text` is shown as such.
    """
    panel = (
        stat_builder.Panel().title(title).description(help).unit(unit).no_value(no_value)
        .datasource(target.datasource).with_target(target).thresholds(thresholds(steps))
        .reduce_options(_newest().fields("/.*/") if is_text else _newest())
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode(shows.replace(" ", "_")))
        .wide_layout(True)
        .show_percent_change(change is not None)
    )  # fmt: skip
    if change is not None:
        modes = {
            "up is good": common.PercentChangeColorMode.STANDARD,
            "down is good": common.PercentChangeColorMode.INVERTED,
            "neutral": common.PercentChangeColorMode.SAME_AS_VALUE,
        }
        panel = panel.percent_change_color_mode(modes[change])
    if texts:
        panel = panel.mappings([_words(texts)])
    if link is not None:
        name, url = link
        panel = panel.data_links([dashboard_builder.DashboardLink(name).url(url)])
    return Cell(width=width, panel=panel.build())


def timeseries(
    title: str,
    *,
    width: int,
    help: str,  # noqa: A002
    unit: str,
    target: Target,
    no_value: str,
    bars: bool = False,
    days: bool = False,
    colors: Mapping[str, str] | None = None,
    limit: float | None = None,
    step: str | None = None,
) -> Cell:
    """Show values over time: stacked bars for counts (`days`: after their time), or thin lines.

    `step` is the shortest time between two of them.
    """
    panel = (
        timeseries_builder.Panel().title(title).description(help).unit(unit).no_value(no_value)
        .datasource(target.datasource).with_target(target)
        .min(0)
        .tooltip(
            common_builder.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
        .legend(
            common_builder.VizLegendOptions().show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .show_points(common.VisibilityMode.NEVER if bars else common.VisibilityMode.AUTO)
        .line_width(0 if bars else 1)
        .fill_opacity(80 if bars else 10)
    )  # fmt: skip
    if bars:
        panel = panel.draw_style(common.GraphDrawStyle.BARS).stacking(
            common_builder.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        )
    if days:
        panel = panel.bar_alignment(common.BarAlignment.AFTER)
    if step is not None:
        panel = panel.interval(step)
    if limit is not None:
        panel = (
            panel.thresholds(thresholds(((None, "green"), (limit, "red"))))
            .thresholds_style(
                common_builder.GraphThresholdsStyleConfig()
                .mode(common.GraphThresholdsStyleMode.DASHED)
            )
            .axis_soft_max(limit * 2)
        )  # fmt: skip
    for name, color in (colors or {}).items():
        fixed = model.DynamicConfigValue(
            id_val="color", value={"mode": "fixed", "fixedColor": color}
        )
        panel = panel.override_by_name(name, [fixed])
    return Cell(width=width, panel=panel.build())


def state_timeline(
    title: str,
    *,
    help: str,  # noqa: A002
    target: Target,
    no_value: str,
    states: Mapping[str, tuple[str, str]],
    step: str,
    width: int = GRID_COLUMNS,
) -> Cell:
    """Show from when to when each series was in which state: a line each, a colour a state.

    `states` are the words and colours of values; `step` is the shortest time between two of them.
    """
    panel = (
        timeline_builder.Panel().title(title).description(help).unit(TEXT).no_value(no_value)
        .datasource(target.datasource).with_target(target)
        .interval(step)
        .max_data_points(600)
        .mappings([_words(states)])
        # By thresholds, neighbours would be merged and shown as ranges of numbers.
        .color_scheme(
            dashboard_builder.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(NEUTRAL)
        )
        .merge_values(True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(80)
        .legend(
            common_builder.VizLegendOptions().show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
    )  # fmt: skip
    return Cell(width=width, panel=panel.build())


def table(
    title: str,
    *,
    help: str,  # noqa: A002
    target: Target,
    no_value: str,
    columns: Sequence[Column],
    width: int = GRID_COLUMNS,
) -> Cell:
    """Show rows as they are ordered by their query."""
    panel = (
        table_builder.Panel().title(title).description(help).unit(TEXT).no_value(no_value)
        .datasource(target.datasource).with_target(target)
        .cell_height(common.TableCellHeight.SM).show_header(True)
    )  # fmt: skip
    for column in columns:
        panel = panel.override_by_name(column.name, column.override())
    return Cell(width=width, panel=panel.build())


def bargauge(
    title: str,
    *,
    width: int,
    help: str,  # noqa: A002
    unit: str,
    target: Target,
    no_value: str,
    steps: Steps,
    full: float,
    name: str,
) -> Cell:
    """Compare the newest values of several series, one horizontal bar each, `full` at its end.

    `name` is the label that names a bar; a single one would go without.
    """
    panel = (
        bargauge_builder.Panel().title(title).description(help).unit(unit).no_value(no_value)
        .datasource(target.datasource).with_target(target).thresholds(thresholds(steps))
        .reduce_options(_newest("lastNotNull"))
        .min(0)
        .max(full)
        .display_name(f"${{__field.labels.{name}}}")
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .show_unfilled(True)
        .sizing(common.BarGaugeSizing.MANUAL)
        .min_viz_height(16)
        .max_viz_height(48)
    )  # fmt: skip
    return Cell(width=width, panel=panel.build())


def page(title: str, *, help: str, markdown: str) -> Cell:  # noqa: A002
    """Show a text across the whole width."""
    panel = (
        text_builder.Panel().title(title).description(help)
        .mode(text.TextMode.MARKDOWN).content(markdown)
    )  # fmt: skip
    return Cell(width=GRID_COLUMNS, panel=panel.build())
