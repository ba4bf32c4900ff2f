"""The demo: embedded PostgreSQL, the simulated company, the exporter, and what is installed."""

import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from exporter.app import App
from exporter.demo import coded_workflow
from exporter.demo.companions import GRAFANA, PROMETHEUS, start_grafana, start_prometheus
from exporter.demo.company_budgets import BUDGETS
from exporter.demo.company_process import prepare_n8n, work
from exporter.demo.company_providers import CompanyProviders
from exporter.demo.embedded_postgres import EmbeddedPostgres, free_port
from exporter.demo.outages import Outages
from exporter.interfaces import PollResult

_PREFERRED_PORT = 9849
_FAILING_PROVIDER = "openai"
_FAILS_IN = timedelta(minutes=3)
_FAILS_FOR = timedelta(minutes=6)
_PUBLISHED_AFTER = timedelta(minutes=1)
_RESOLVED_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that runs."""

    app: App
    places: Mapping[str, str]  # what runs → where to look
    results: list[PollResult]  # of the first poll


@contextmanager
def running_demo(tell: Callable[[str], None]) -> Iterator[Demo]:
    """Set everything up, yield it, and leave nothing behind."""
    with ExitStack() as stack:
        data = Path(tempfile.mkdtemp(prefix="ai-workflow-exporter-demo-"))
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        tell("starting an embedded PostgreSQL")
        postgres = stack.enter_context(EmbeddedPostgres(data / "postgres"))
        for name in ("n8n", "aiwf"):
            postgres.create_database(name)
        tell("the simulated company works through a week of history")
        now = datetime.now(UTC)
        providers = CompanyProviders(now)
        outages = Outages()
        n8n = prepare_n8n(postgres.url("n8n"), now, meter=providers.meter, outages=outages)
        sources, keys = stack.enter_context(providers.served(n8n.story, lambda: datetime.now(UTC)))

        port = _free_port_near(_PREFERRED_PORT)
        dashboard_password = secrets.token_urlsafe(16)
        configuration = data / "config.yml"
        n8n_source = {"name": "n8n", "kind": "n8n", "url": {"env": "N8N_DATABASE_URL"}}
        settings = {"sources": [n8n_source, *sources], "budgets": list(BUDGETS)}
        configuration.write_text(yaml.safe_dump(settings))
        app = App(
            configuration,
            {
                "AIWF_DATABASE_URL": postgres.url("aiwf"),
                "AIWF_DASHBOARD_PASSWORD": dashboard_password,
                "AIWF_LISTEN": f"127.0.0.1:{port}",
                "N8N_DATABASE_URL": postgres.url("n8n"),
                **keys,
            },
        )
        tell("the exporter reads it")
        app.prepare()
        results = [result for poller in app.pollers if (result := poller.poll()) is not None]

        stopped = threading.Event()
        company = threading.Thread(target=work, args=(n8n, stopped), name="company")
        company.start()
        coded = threading.Thread(
            target=coded_workflow.tell, args=(f"http://127.0.0.1:{port}", stopped), name="coded"
        )
        coded.start()
        stack.callback(coded.join)
        stack.callback(company.join)
        stack.callback(stopped.set)
        places = {
            "exporter": f"http://127.0.0.1:{port}/ (metrics: /metrics)",
            "database": f"psql '{postgres.url('aiwf')}'",
        }
        prometheus = start_prometheus(data, f"127.0.0.1:{port}") if _is_free(PROMETHEUS) else None
        grafana = (
            start_grafana(data, postgres.url("aiwf"), dashboard_password)
            if _is_free(GRAFANA)
            else None
        )
        for name, process, address in (
            ("Prometheus", prometheus, PROMETHEUS),
            ("Grafana", grafana, GRAFANA),
        ):
            if process is not None:
                stack.callback(_end, process)
                places[name] = f"http://{address}/"
            else:
                places[name] = "not started: not on PATH, or its port is taken"
        tell(_announced_outage(outages, datetime.now(UTC)))
        yield Demo(app=app, places=places, results=results)


def _announced_outage(outages: Outages, now: datetime) -> str:
    """Plan the outage that a person who looks sees come and go; return what to tell them."""
    begins_at = now + _FAILS_IN
    outages.begin(
        _FAILING_PROVIDER,
        begins_at,
        failing_share=0.9,  # six minutes hold few calls
        published_after=_PUBLISHED_AFTER,
        resolved_after=_RESOLVED_AFTER,
    )
    outages.end(_FAILING_PROVIDER, begins_at + _FAILS_FOR)
    return (
        f"at {begins_at:%H:%M} UTC, {_minutes(_FAILS_IN)} minutes from now, calls to OpenAI begin "
        f"to fail for {_minutes(_FAILS_FOR)} minutes; "
        f"its status page says so {_minutes(_PUBLISHED_AFTER)} min late"
    )


def _minutes(span: timedelta) -> int:
    return span // timedelta(minutes=1)


def write_only(url: str, stopped: threading.Event) -> None:
    """Only keep the simulated n8n working in a database, for the compose stack."""
    work(prepare_n8n(url, datetime.now(UTC)), stopped)


def _is_free(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
        return True


def _free_port_near(port: int) -> int:
    return port if _is_free(f"127.0.0.1:{port}") else free_port()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
