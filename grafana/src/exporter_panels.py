"""The exporter itself: are its sources read, how fresh are they, what was left out?"""

from __future__ import annotations

from grafana.src.colors import AGE_COLORS
from grafana.src.layout import Line
from grafana.src.panels import COUNT, PER_MINUTE, SECONDS, TEXT, bargauge, stat, timeseries
from grafana.src.targets import promql

EXPORTER_NUMBERS = Line(
    heading="The exporter itself",
    height=6,
    cells=[
        stat(
            "Sources answering",
            width=6,
            help="Whether the newest poll of each source was answered.",
            unit=TEXT,
            target=promql("min by (source) (aiwf_source_up)", legend="{{source}}", now=True),
            no_value="no source, or no exporter",
            texts={"1": ("up", "green"), "0": ("down", "red")},
            shows="value and name",
        ),
        bargauge(
            "Since the last successful read",
            width=9,
            help="Time since each source was last read to its end; ExporterSourceSilent warns from"
            " 15 minutes on, and after three polls that are further apart.",
            unit=SECONDS,
            target=promql(
                "time() - max by (source)"
                " (last_over_time(aiwf_last_success_timestamp_seconds[6h]))",
                legend="{{source}}",
                now=True,
            ),
            no_value="no source has been read",
            steps=AGE_COLORS,
            full=900,
            name="source",
        ),
        stat(
            "Database",
            width=3,
            help="Whether the exporter's last write to TimescaleDB succeeded.",
            unit=TEXT,
            target=promql("min(aiwf_sink_up)", now=True),
            no_value="unknown",
            texts={"1": ("up", "green"), "0": ("down", "red")},
        ),
        stat(
            "Configuration",
            width=3,
            help="Whether the configuration file was accepted when last read.",
            unit=TEXT,
            target=promql("min(aiwf_config_last_reload_successful)", now=True),
            no_value="unknown",
            texts={"1": ("valid", "green"), "0": ("refused", "red")},
        ),
        stat(
            "Version",
            width=3,
            help="The exporter's version.",
            unit=TEXT,
            target=promql("max by (version) (aiwf_build_info)", legend="{{version}}", now=True),
            no_value="unknown",
            shows="name",
        ),
    ],
)

EXPORTER_TRENDS = Line(
    height=7,
    cells=[
        timeseries(
            "Age of the newest record",
            width=6,
            help="How old the newest record of each source was when it was last read; quiet hours"
            " raise it too.",
            unit=SECONDS,
            target=promql("max by (source) (aiwf_source_lag_seconds)", legend="{{source}}"),
            no_value="no source reports a lag",
        ),
        timeseries(
            "Polls by outcome",
            width=6,
            help="Polls per minute: ok, later (no answer now), refused (somebody must act), blocked"
            " (our own database did not take it), failed (a fault of ours).",
            unit=PER_MINUTE,
            target=promql(
                "60 * sum by (outcome) (rate(aiwf_polls_total[$__rate_interval]))",
                legend="{{outcome}}",
            ),
            no_value="no polls",
            colors={
                "ok": "green",
                "later": "orange",
                "refused": "red",
                "blocked": "purple",
                "failed": "dark-red",
            },
        ),
        timeseries(
            "Duration of a poll",
            width=6,
            help="How long the newest poll of each source took.",
            unit=SECONDS,
            target=promql("max by (source) (aiwf_poll_duration_seconds)", legend="{{source}}"),
            no_value="no polls",
        ),
        timeseries(
            "Left out",
            width=6,
            help="Records that could not be read or stored whole, by source and reason.",
            unit=COUNT,
            target=promql(
                "sum by (source, reason)"
                " (increase(aiwf_source_omissions_total[$__rate_interval])) > 0",
                legend="{{source}}: {{reason}}",
            ),
            no_value="nothing was left out",
            bars=True,
        ),
    ],
)
