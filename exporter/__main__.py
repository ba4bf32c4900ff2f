"""The door: commands and arguments, nothing else."""

import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from exporter import __version__, web
from exporter.app import KIND_SETTINGS, App, load_settings
from exporter.configuration import json_schema
from exporter.demo import demo as company
from exporter.errors import ConfigurationError, ExporterError
from exporter.interfaces import PollResult
from exporter.log import configure, redact
from exporter.setting_types import read_secret
from exporter.sinks.audit import audit as find_differences
from exporter.sinks.migrations import migrate as apply_migrations

cli = typer.Typer(
    help="See what AI workflows do in production: runs, model calls, cost, on Grafana.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show variables, and those hold secrets
    add_completion=False,
)
console = Console(markup=False, highlight=False)  # what it prints is not ours alone
log = logging.getLogger(__name__)
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", envvar="AIWF_CONFIG", help="YAML file; without one, the environment is read."
    ),
]
_state: dict[str, Path | None] = {"config": None}


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(__version__)
        raise typer.Exit


@cli.callback()
def options(
    config: Config = None,
    log_level: Annotated[LogLevel, typer.Option(envvar="AIWF_LOG_LEVEL")] = LogLevel.INFO,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""
    _state["config"] = config
    configure(log_level.upper())


@cli.command()
def run() -> None:
    """Poll every source at its interval and serve /metrics, until told to stop."""
    serve(App(_state["config"]))


def serve(app: App) -> None:
    """Run an exporter and its web server in this process, until a signal ends it."""
    host, _, port = app.settings.web.listen.rpartition(":")
    server = uvicorn.Server(
        uvicorn.Config(
            web.build(app), host=host.strip("[]"), port=int(port), log_config=None, access_log=False
        )
    )
    if threading.current_thread() is threading.main_thread():
        # The server ends on a signal and then raises it again: as an exception, so that the
        # sources are closed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # A thread of its own: a reload waits for locks, and a signal handler must not.
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=app.reload).start())
    app.start()
    log.info("exporter.started", extra={"version": __version__, "listen": app.settings.web.listen})
    try:
        server.run()
    except KeyboardInterrupt:
        log.info("exporter.ended")
    finally:
        app.stop()


@cli.command()
def once() -> None:
    """Poll each source one time, print what came, exit 1 if one failed."""
    logging.getLogger().setLevel(logging.ERROR)
    app = App(_state["config"])
    if not app.pollers:
        raise ConfigurationError(
            "no source is configured: set N8N_DATABASE_URL, or give --config FILE"
        )
    try:
        app.prepare()
        results = [
            poller.poll()
            for poller in track(
                app.pollers,
                "polling",
                console=Console(stderr=True),
                disable=not sys.stderr.isatty(),
            )
        ]
    finally:
        app.stop()
    show([result for result in results if result is not None])
    raise typer.Exit(0 if all(result and result.outcome == "ok" for result in results) else 1)


def show(results: list[PollResult]) -> None:
    """Print how polls ended."""
    table = Table("source", "outcome", "records", "newest data", "seconds", "detail")
    for result in results:
        table.add_row(
            result.source,
            result.outcome,
            str(result.records),
            f"{result.newest_at:%Y-%m-%d %H:%M:%S} UTC" if result.newest_at else "–",
            f"{result.duration_seconds:.2f}",
            result.detail or "",
        )
    console.print(table)


@cli.command()
def demo(
    write_only: Annotated[
        bool, typer.Option(help="Only keep a simulated n8n working in DEMO_N8N_DATABASE_URL.")
    ] = False,
) -> None:
    """Run everything on a simulated company, with an embedded PostgreSQL."""
    if write_only:
        url = read_secret("DEMO_N8N_DATABASE_URL", os.environ)
        if url is None:
            raise ConfigurationError("demo --write-only: DEMO_N8N_DATABASE_URL is not set")
        redact.learn([url])
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        company.write_only(url, stopped)
        return
    logging.getLogger().setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, tidily
    try:
        with company.running_demo(lambda line: console.print(f"… {line}")) as running:
            show(running.results)
            for name, place in running.places.items():
                console.print(f"{name:>10}  {place}", soft_wrap=True)
            console.print(
                "Live runs keep coming. Ctrl-C ends everything and leaves nothing behind."
            )
            serve(running.app)
    except KeyboardInterrupt:
        console.print("ended")


@cli.command()
def check() -> None:
    """Say whether the configuration is right: exit 0, or 1 with file, path and cause."""
    loaded = load_settings(_state["config"])
    names = ", ".join(source.name for source in loaded.sources) or "none"
    console.print(f"{_state['config'] or 'environment'}: ok; sources: {names}")


@cli.command()
def migrate() -> None:
    """Bring our database to this version; safe to repeat."""
    for line in apply_migrations(load_settings(_state["config"]).database) or ["nothing to do"]:
        console.print(line)


@cli.command()
def audit() -> None:
    """Recompute the hourly sums from the raw rows; exit 1 if they differ."""
    logging.getLogger().setLevel(logging.ERROR)
    app = App(_state["config"])
    try:
        app.prepare()
        with app.sink.connection() as connection:
            differences = find_differences(connection)
    finally:
        app.stop()
    table = Table("table", "differences")
    for name, rows in differences.items():
        table.add_row(name, str(len(rows)))
        for row in rows[:10]:
            console.print(f"{name}: {row}")
    console.print(table)
    raise typer.Exit(1 if any(differences.values()) else 0)


@cli.command()
def backfill(
    source: Annotated[str, typer.Option(help="Its name in the configuration.")],
    from_: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")],
    to: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last UTC day, included.")],
) -> None:
    """Read a range of a source's past; broken off, it goes on where it stood."""
    from_at, until_at = (
        from_.replace(tzinfo=UTC),
        min(to.replace(tzinfo=UTC) + timedelta(days=1), datetime.now(UTC)),
    )
    if from_at >= until_at:
        raise ConfigurationError("backfill: --from must be a day before today, and not after --to")
    logging.getLogger().setLevel(logging.ERROR)
    app = App(_state["config"])
    shown = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
    try:
        app.prepare()
        with shown:
            task = shown.add_task(f"reading {source}", total=1)
            records = app.backfill(
                source,
                from_at,
                until_at,
                lambda ratio, count: shown.update(
                    task, completed=ratio, description=f"reading {source}: {count} records"
                ),
            )
    finally:
        app.stop()
    console.print(f"{source}: {records} records from {from_at:%Y-%m-%d} to {to:%Y-%m-%d}")


@cli.command()
def schema() -> None:
    """Print the configuration's JSON schema, for editors."""
    print(json.dumps(json_schema(KIND_SETTINGS), indent=2))  # noqa: T201  # its output is a file


def main(arguments: list[str] | None = None) -> Any:
    """Run a command; an error we understand is one line, never a traceback."""
    try:
        return cli(arguments, standalone_mode=True)
    except ExporterError as error:
        Console(stderr=True).print(
            redact(str(error)), markup=False, highlight=False, soft_wrap=True
        )
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
