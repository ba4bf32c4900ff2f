"""Fixtures: real databases, the recorded n8n, exporters that are not started."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from exporter.app import App
from exporter.demo.simulated_n8n import SimulatedN8n
from exporter.settings import DatabaseSettings
from exporter.sinks.migrations import migrate
from tests import databases
from tests.spend_records import write_spend_history

DASHBOARD_PASSWORD = "dashboards-only-read"


@pytest.fixture(autouse=True)
def no_configuration_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees no variable of the machine it runs on."""
    for name in list(os.environ):
        if name.startswith(("AIWF_", "N8N_")):
            monkeypatch.delenv(name)


def _server(variable: str) -> str:
    url = databases.server_url(variable)
    if url is None:
        pytest.skip(f"{variable} is not set: run the tests by `make test`")
    return url


@pytest.fixture(scope="session")
def plain_server() -> str:
    """A PostgreSQL without TimescaleDB."""
    return _server("TEST_PLAIN_DATABASE_URL")


@pytest.fixture(scope="session")
def timescale_server() -> str:
    """A PostgreSQL with TimescaleDB, any edition."""
    return _server("TEST_DATABASE_URL")


@pytest.fixture
def plain_database_url(plain_server: str) -> Iterator[str]:
    """An empty database of plain PostgreSQL."""
    with databases.new_database(plain_server) as url:
        yield url


def database_settings(url: str) -> DatabaseSettings:
    """Settings of our database as tests use it."""
    return DatabaseSettings.model_validate(
        {"url": {"env": "URL"}, "dashboard_password": {"env": "PASSWORD"}},
        context={"environ": {"URL": url, "PASSWORD": DASHBOARD_PASSWORD}},
    )


@pytest.fixture(scope="session")
def migrated(request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """Return the name of a migrated template on a server, made at its first use."""
    templates: dict[str, str] = {}
    with ExitStack() as stack:

        def template_on(server: str) -> str:
            if server not in templates:
                url = stack.enter_context(databases.new_database(server))
                migrate(database_settings(url))
                templates[server] = databases.database_name(url)
            return templates[server]

        yield template_on


@pytest.fixture(params=["plain", "timescale"])
def database_url(request: pytest.FixtureRequest, migrated: Callable[[str], str]) -> Iterator[str]:
    """Our database, migrated and empty, in each edition that a server is there for."""
    server = request.getfixturevalue(f"{request.param}_server")
    with databases.new_database(server, template=migrated(server)) as url:
        yield url


@pytest.fixture
def one_database_url(plain_server: str, migrated: Callable[[str], str]) -> Iterator[str]:
    """Our database, migrated and empty, where the edition does not matter."""
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        yield url


@pytest.fixture(scope="session")
def n8n_template(plain_server: str) -> Iterator[str]:
    """The recorded n8n, restored once."""
    with databases.new_database(plain_server) as url:
        databases.restore(databases.N8N_DUMP, url)
        yield databases.database_name(url)


@pytest.fixture
def n8n_url(plain_server: str, n8n_template: str) -> Iterator[str]:
    """A copy of the recorded n8n that a test may change."""
    with databases.new_database(plain_server, template=n8n_template) as url:
        yield url


Query = Callable[..., list[dict[str, object]]]


def connect(url: str) -> psycopg.Connection[dict[str, object]]:
    """Open a connection that commits each statement and returns dictionaries."""
    return psycopg.connect(url, autocommit=True, row_factory=dict_row)


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Build an exporter of one n8n that is polled by hand; closed at the end."""
    apps: list[App] = []

    def make(database_url: str, n8n_url: str, *lines: str) -> App:
        config = tmp_path / "config.yml"
        config.write_text(
            "database: {url: {env: AIWF_DATABASE_URL}}\n"
            "sources:\n"
            "  - name: n8n\n"
            "    kind: n8n\n"
            "    url: {env: N8N_DATABASE_URL}\n" + "".join(f"    {line}\n" for line in lines)
        )
        app = App(config, {"AIWF_DATABASE_URL": database_url, "N8N_DATABASE_URL": n8n_url})
        app.prepare()
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.stop()


def as_dashboards(url: str) -> psycopg.Connection[dict[str, object]]:
    """Connect as the read-only role that Grafana uses.

    Roles belong to the whole server, and a test in another process may set its password meanwhile.
    """
    for attempt in range(5):
        try:
            with connect(url) as admin:
                admin.execute(
                    sql.SQL("ALTER ROLE aiwf_dashboards LOGIN PASSWORD {}").format(
                        sql.Literal(DASHBOARD_PASSWORD)
                    )
                )
            return psycopg.connect(
                url,
                user="aiwf_dashboards",
                password=DASHBOARD_PASSWORD,
                autocommit=True,
                row_factory=dict_row,
            )
        except (psycopg.OperationalError, psycopg.errors.InternalError_):
            if attempt == 4:
                raise
    raise AssertionError("unreachable")


@pytest.fixture
def dashboard_connection_empty(
    database_url: str,
) -> Iterator[psycopg.Connection[dict[str, object]]]:
    """Our empty database, as the dashboards see it."""
    with as_dashboards(database_url) as connection:
        yield connection


@pytest.fixture(scope="session", params=["plain", "timescale"])
def full_database_url(
    request: pytest.FixtureRequest, migrated: Callable[[str], str], plain_server: str
) -> Iterator[str]:
    """Our database after the simulated company and its providers were read, in each edition."""
    server = request.getfixturevalue(f"{request.param}_server")
    with (
        databases.new_database(server, template=migrated(server)) as url,
        databases.new_database(plain_server) as n8n_url,
    ):
        with SimulatedN8n(n8n_url) as n8n:
            n8n.create()
            n8n.write_history(datetime.now(UTC), days=3)
        app = App(None, {"AIWF_DATABASE_URL": url, "N8N_DATABASE_URL": n8n_url})
        app.prepare()
        result = app.pollers[0].poll()
        app.stop()
        assert result is not None
        assert result.outcome == "ok", result.detail
        write_spend_history(url, datetime.now(UTC))
        yield url


@pytest.fixture
def dashboard_connection_full(
    full_database_url: str,
) -> Iterator[psycopg.Connection[dict[str, object]]]:
    """Our full database, as the dashboards see it."""
    with as_dashboards(full_database_url) as connection:
        yield connection
