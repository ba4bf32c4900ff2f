"""Columns: how one column of a table is shown."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

with warnings.catch_warnings():
    # Its classic builders announce the v2 schema, which Grafana's file provider refuses.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard as dashboard_builder
from grafana_foundation_sdk.models import dashboard as model

Steps = Sequence[tuple[float | None, str]]  # (from this value on, colour); None: from the start


def thresholds(steps: Steps) -> dashboard_builder.ThresholdsConfig:
    """Return the values from which on a colour holds."""
    return (
        dashboard_builder.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=color) for value, color in steps])
    )


@dataclass(frozen=True, kw_only=True)
class Column:
    """How one column of a table is shown."""

    name: str
    unit: str
    width_px: int | None = None
    steps: Steps | None = None  # colours of its text
    unknown: str | None = None  # shown where the value is NULL
    link: tuple[str, str] | None = None  # (title, address)
    texts: Mapping[str, str] = field(default_factory=dict)  # regular expression -> shown text
    colors: Mapping[str, str] = field(default_factory=dict)  # word -> its colour
    filter: bool = False  # lets the reader pick values
    inspect: bool = False  # lets the reader open a text that is longer than its cell
    bar: bool = False  # draws a share of 1 as a bar behind it

    def override(self) -> list[model.DynamicConfigValue]:
        """Return the column's settings as Grafana's overrides of the table's own."""
        options: dict[str, object] = {"unit": self.unit}
        if self.width_px is not None:
            options["custom.width"] = self.width_px
        if self.steps is not None:
            options["thresholds"] = thresholds(self.steps).build()
            options["color"] = {"mode": "thresholds"}
            options["custom.cellOptions"] = {"type": "color-text"}
        if self.unknown is not None:
            options["noValue"] = self.unknown
        if self.filter:
            options["custom.filterable"] = True
        if self.inspect:
            options["custom.inspect"] = True
        if self.bar:
            options |= {"min": 0, "max": 1, "color": {"mode": "fixed", "fixedColor": "blue"}}
            options["custom.cellOptions"] = {"type": "gauge", "mode": "basic"}
        if self.link is not None:
            title, url = self.link
            options["links"] = [{"title": title, "url": url, "targetBlank": url.startswith("${")}]
        if self.texts:
            options["mappings"] = [
                {"type": "regex", "options": {"pattern": pattern, "result": {"text": text}}}
                for pattern, text in self.texts.items()
            ]
        if self.colors:
            options["mappings"] = [
                {"type": "value", "options": {word: {"color": color, "index": index}}}
                for index, (word, color) in enumerate(self.colors.items())
            ]
            options["custom.cellOptions"] = {"type": "color-text"}
        return [model.DynamicConfigValue(id_val=key, value=value) for key, value in options.items()]
