"""Canaries in every secret, failures of every kind: no canary comes out anywhere."""

import base64
import contextlib
import io
import ipaddress
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import sql

from exporter import web
from exporter.app import App
from exporter.errors import ConfigurationError, SinkError
from exporter.log import JsonLines
from tests import databases
from tests.conftest import connect

# Each with marks that forms of encoding change, and with a core that no encoding does.
CORE = "cAnArY"
DATABASE_PASSWORD = f"dB/{CORE}#1 'q'"
N8N_PASSWORD = f'n8N@{CORE}%2?"q"'
TOKEN = f"tOkEn-{CORE}-\\-ü"
DASHBOARD_PASSWORD = f"dAsH-{CORE}-'; --"
SECRETS = (DATABASE_PASSWORD, N8N_PASSWORD, TOKEN, DASHBOARD_PASSWORD)
ROOT = Path(__file__).parents[2]
CONFIG = """\
database:
  url: {env: AIWF_DATABASE_URL}
  dashboard_role: aiwf_dashboards_of_secrets  # of the whole server: others test theirs meanwhile
  dashboard_password: {env: AIWF_DASHBOARD_PASSWORD}
web: {token: {env: AIWF_TOKEN}}
sources:
  - {name: n8n, kind: n8n, url: {env: N8N_DATABASE_URL}}
"""


USERS = {DATABASE_PASSWORD: "aiwf_canary_database", N8N_PASSWORD: "aiwf_canary_n8n"}


@pytest.fixture(scope="module", autouse=True)
def roles_with_canaries(plain_server: str) -> None:
    """Roles that may do all and whose passwords are the canaries, whatever the server's own are."""
    with psycopg.connect(plain_server, autocommit=True) as admin:
        for password, user in USERS.items():
            found = admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [user]).fetchone()
            change = "ALTER" if found is not None else "CREATE"
            admin.execute(
                sql.SQL(change + " ROLE {} LOGIN SUPERUSER PASSWORD {}").format(
                    sql.Identifier(user), sql.Literal(password)
                )
            )


def with_password(url: str, password: str, *, user: str | None = None, **parts: str) -> str:
    """Return the URL with a canary as its password."""
    split = urlsplit(url)
    user = user or USERS.get(password, "postgres")
    place = parts.pop("place", split.netloc.rpartition("@")[2])
    encoded = quote(password, safe="")
    return urlunsplit(split._replace(netloc=f"{user}:{encoded}@{place}", **parts))


def leaks(text: str) -> list[str]:
    """Lines in which a canary shows, plainly or in base64."""
    encoded = [base64.b64encode(secret.encode()).decode() for secret in SECRETS]
    return [
        line for line in text.splitlines() if CORE in line or any(form in line for form in encoded)
    ]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged while a test runs, as the exporter would write it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def environ(database_url: str, n8n_url: str) -> dict[str, str]:
    return {
        "AIWF_DATABASE_URL": database_url,
        "N8N_DATABASE_URL": n8n_url,
        "AIWF_TOKEN": TOKEN,
        "AIWF_DASHBOARD_PASSWORD": DASHBOARD_PASSWORD,
    }


def everything_served(app: App) -> str:
    client = TestClient(web.build(app), raise_server_exceptions=False)
    answers = [
        client.get(path)
        for path in ("/", "/metrics", "/config", "/docs", "/openapi.json", "/-/ready", "/nothing")
    ]
    answers += [
        client.get("/metrics", headers={"accept": "application/openmetrics-text"}),
        client.post("/-/reload"),
        client.post("/-/reload", headers={"authorization": "Bearer wrong"}),
        client.post("/-/reload", headers={"authorization": f"Bearer {TOKEN}".encode()}),
    ]
    return "\n".join(f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers)


# Each way for a source to fail: a change of its URL, or of its database.
def _right(url: str) -> str:
    return with_password(url, N8N_PASSWORD)


N8N_FAILURES: dict[str, Callable[[str], str]] = {
    "nothing": _right,
    "no such role": lambda url: with_password(url, N8N_PASSWORD, user="nobody_at_all"),
    "no such database": lambda url: with_password(url, N8N_PASSWORD, path="/aiwf_not_there"),
    "host not reachable": lambda url: with_password(url, N8N_PASSWORD, place="127.0.0.1:1"),
    "host not known": lambda url: with_password(url, N8N_PASSWORD, place="no-such.invalid"),
    "host that cannot be": lambda url: with_password(url, N8N_PASSWORD, place="..x"),
    "port that is none": lambda url: with_password(url, N8N_PASSWORD, place="127.0.0.1:x1"),
    "another scheme": lambda url: with_password(url, N8N_PASSWORD, scheme="mysql"),
    "password not encoded": lambda _: f"postgresql://n8n:{N8N_PASSWORD}@127.0.0.1/n8n",
    "password with a slash": lambda _: f"postgresql://n8n:12/{CORE}@127.0.0.1:5432/n8n",
    "password as a port": lambda _: f"postgresql://n8n:{CORE}/x@127.0.0.1/n8n",
    "password in brackets": lambda _: f"postgresql://n8n:[{CORE}]@127.0.0.1/n8n",
    "password with a letter of another form": (
        lambda _: f"postgresql://n8n:{CORE}\N{ACCOUNT OF}@127.0.0.1/n8n"
    ),
    "password in the query": lambda _: (
        f"postgresql://127.0.0.1:1/n8n?user=n8n&password={quote(N8N_PASSWORD, safe='')}"
    ),
    "words instead of a URL": lambda _: f"{CORE} {CORE}=1",
    "keywords instead of a URL": lambda _: f"host=127.0.0.1 port=1 password={CORE}",
    "secret as a setting": lambda url: f"{url}?sslmode={CORE}",
}


@pytest.fixture(params=N8N_FAILURES)
def polled(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    one_database_url: str,
    plain_database_url: str,
    log: io.StringIO,
) -> Iterator[App]:
    """An exporter whose source has failed in one way (an empty database is no n8n either)."""
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    n8n_url = N8N_FAILURES[request.param](plain_database_url)
    app = App(file, environ(with_password(one_database_url, DATABASE_PASSWORD), n8n_url))
    app.prepare()
    result = app.pollers[0].poll()
    assert result is not None
    assert result.outcome in ("later", "refused"), (result.outcome, result.detail)
    yield app
    app.stop()


def test_a_failed_poll_logs_no_secret(polled: App, log: io.StringIO) -> None:
    assert "poll.finished" in log.getvalue()
    assert [] == leaks(log.getvalue())


def test_a_failed_poll_serves_no_secret(polled: App, log: io.StringIO) -> None:
    assert [] == leaks(everything_served(polled))
    assert [] == leaks(log.getvalue())


def test_a_failed_poll_stores_no_secret(polled: App, one_database_url: str) -> None:
    with connect(one_database_url) as connection:
        rows = [
            connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("polls", "cursors", "counters", "aiwf_migrations")
        ]

    assert rows[0]
    assert [] == leaks(repr(rows))


def test_a_failed_poll_remembers_no_secret(polled: App) -> None:
    assert [] == leaks(repr([poller.last_result for poller in polled.pollers]))
    assert [] == leaks(repr(polled.settings))
    assert [] == leaks(repr(polled.sources()))


# --- our own database ----------------------------------------------------------------------

DATABASE_FAILURES: dict[str, Callable[[str], str]] = {
    "no such role": lambda url: with_password(url, DATABASE_PASSWORD, user="nobody_at_all"),
    "no such database": lambda url: with_password(url, DATABASE_PASSWORD, path="/aiwf_not_there"),
    "host not reachable": lambda url: with_password(url, DATABASE_PASSWORD, place="127.0.0.1:1"),
    "host not known": lambda url: with_password(url, DATABASE_PASSWORD, place="no-such.invalid"),
    "host that cannot be": lambda url: with_password(url, DATABASE_PASSWORD, place="..x"),
    "port that is none": lambda url: with_password(url, DATABASE_PASSWORD, place="127.0.0.1:x1"),
    "another scheme": lambda url: with_password(url, DATABASE_PASSWORD, scheme="mysql"),
    "password not encoded": lambda _: f"postgresql://aiwf:{DATABASE_PASSWORD}@127.0.0.1/aiwf",
    "password as a port": lambda _: f"postgresql://aiwf:{CORE}/x@127.0.0.1/aiwf",
    "password with a letter of another form": (
        lambda _: f"postgresql://aiwf:{CORE}\N{ACCOUNT OF}@127.0.0.1/aiwf"
    ),
    "words instead of a URL": lambda _: f"{CORE} {CORE}=1",
}


@pytest.mark.parametrize("failure", DATABASE_FAILURES)
def test_our_own_database_failing_tells_no_secret(
    failure: str, tmp_path: Path, plain_server: str, log: io.StringIO
) -> None:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    url = DATABASE_FAILURES[failure](plain_server)
    app = App(file, environ(url, with_password(plain_server, N8N_PASSWORD)))

    with pytest.raises((SinkError, ConfigurationError)) as failed:
        app.prepare()
    app.start()
    app.stop()

    assert [] == leaks(repr(failed.value))
    assert failed.value.__suppress_context__
    assert "database.unavailable" in log.getvalue()
    assert [] == leaks(log.getvalue())
    assert [] == leaks(everything_served(app))


def test_polls_while_our_database_is_gone_tell_no_secret(
    tmp_path: Path, plain_server: str, migrated: Callable[[str], str], log: io.StringIO
) -> None:
    """The pool connects again in the background, and logs by itself."""
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        app = App(
            file,
            environ(
                with_password(url, DATABASE_PASSWORD), with_password(plain_server, N8N_PASSWORD)
            ),
        )
        app.prepare()
    app.sink._pool.timeout = 0.5  # how long a poll waits for a connection
    results = [app.pollers[0].poll() for _ in range(2)]

    served = everything_served(app)
    app.stop()

    assert "blocked" in {result.outcome for result in results if result is not None}
    assert [] == leaks(repr(results))
    assert [] == leaks(served)
    assert [] == leaks(log.getvalue())


def test_a_crash_within_a_poll_logs_its_traceback_without_secrets(
    tmp_path: Path, one_database_url: str, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    n8n_url = with_password(one_database_url, N8N_PASSWORD)
    app = App(file, environ(with_password(one_database_url, DATABASE_PASSWORD), n8n_url))
    app.prepare()

    def crash(*_: object) -> None:
        try:
            ipaddress.ip_address(f"cannot reach {n8n_url} with {N8N_PASSWORD!r}")
        except ValueError as error:
            raise RuntimeError({"url": n8n_url, "password": N8N_PASSWORD}) from error

    monkeypatch.setattr(app.pollers[0].source, "poll", crash)
    result = app.pollers[0].poll()
    served = everything_served(app)
    app.stop()

    assert result is not None
    assert "failed" == result.outcome
    assert '"traceback"' in log.getvalue()
    assert [] == leaks(log.getvalue())
    assert [] == leaks(repr(result))
    assert [] == leaks(served)
    with connect(one_database_url) as connection:
        assert [] == leaks(repr(connection.execute("SELECT * FROM polls").fetchall()))


def test_a_refused_reload_tells_no_secret_old_or_new(
    tmp_path: Path, one_database_url: str, log: io.StringIO
) -> None:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    held = environ(
        with_password(one_database_url, DATABASE_PASSWORD),
        with_password(one_database_url, N8N_PASSWORD),
    )
    app = App(file, held)
    held |= {"AIWF_TOKEN": f"new-{CORE}", "AIWF_DATABASE_URL": f"postgresql://u:new-{CORE}@h/d"}

    reason = app.reload()
    served = everything_served(app)
    app.stop()

    assert reason is not None
    assert [] == leaks(reason)
    assert [] == leaks(served)
    assert [] == leaks(log.getvalue())


def test_the_dashboard_password_is_set_and_told_nowhere(
    tmp_path: Path, plain_database_url: str, log: io.StringIO
) -> None:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    url = with_password(plain_database_url, DATABASE_PASSWORD)
    app = App(file, environ(url, url))

    done = app.prepare()
    app.stop()

    assert done
    assert [] == leaks("\n".join(done))
    assert [] == leaks(log.getvalue())


def test_a_role_that_may_not_set_the_dashboard_password_tells_no_secret(
    tmp_path: Path, plain_database_url: str, log: io.StringIO
) -> None:
    role = databases.database_name(plain_database_url)
    name = sql.Identifier(role)
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    with psycopg.connect(plain_database_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(DATABASE_PASSWORD))
        )
        admin.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(name))
    url = with_password(plain_database_url, DATABASE_PASSWORD, user=role)
    app = App(file, environ(url, url))
    try:
        done = app.prepare()
    finally:
        app.stop()
        with psycopg.connect(plain_database_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
            admin.execute(sql.SQL("DROP ROLE {}").format(name))

    assert any("may not set up the dashboards' role" in line for line in done)
    assert [] == leaks("\n".join(done))
    assert [] == leaks(log.getvalue())


# --- the command line ----------------------------------------------------------------------


def command(
    *arguments: str, config: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the exporter as its users do."""
    given = ["--config", str(config)] if config else []
    return subprocess.run(
        [sys.executable, "-m", "exporter", "--log-level", "debug", *given, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yml"
    file.write_text(CONFIG)
    return file


@pytest.mark.parametrize(
    ("name", "failure"),
    [("once", "host not reachable"), *(("migrate", failure) for failure in DATABASE_FAILURES)],
)
def test_a_command_without_our_database_ends_in_one_line_without_secrets(
    name: str, failure: str, config: Path, plain_server: str
) -> None:
    url = DATABASE_FAILURES[failure](plain_server)
    ended = command(name, config=config, **environ(url, with_password(plain_server, N8N_PASSWORD)))

    told = ended.stdout + ended.stderr
    assert 1 == ended.returncode
    assert "Traceback" not in told
    assert ended.stderr.strip()
    assert [] == leaks(told)


@pytest.mark.parametrize(
    "failure",
    ["nothing", "no such role", "host not reachable", "host that cannot be", "password as a port",
     "password with a letter of another form", "words instead of a URL"],
)  # fmt: skip
def test_once_names_a_failed_source_without_secrets(
    failure: str, config: Path, one_database_url: str, plain_database_url: str
) -> None:
    ended = command(
        "once",
        config=config,
        **environ(
            with_password(one_database_url, DATABASE_PASSWORD),
            N8N_FAILURES[failure](plain_database_url),
        ),
    )

    told = ended.stdout + ended.stderr
    assert 1 == ended.returncode
    assert "n8n" in ended.stdout
    assert "Traceback" not in told
    assert [] == leaks(told)


def test_once_without_a_configuration_file_tells_no_secret(one_database_url: str) -> None:
    ended = command(
        "once",
        **environ(
            with_password(one_database_url, DATABASE_PASSWORD),
            with_password(one_database_url, N8N_PASSWORD, place="127.0.0.1:1"),
        ),
    )

    assert 1 == ended.returncode
    assert [] == leaks(ended.stdout + ended.stderr)


class Server:
    """`run` in a process of its own, whose database does not answer."""

    def __init__(self, process: subprocess.Popen[str], client: httpx.Client) -> None:
        self.process = process
        self.client = client

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        pause = threading.Event()
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.communicate()
            with contextlib.suppress(httpx.TransportError):
                if is_so():
                    return
            pause.wait(0.05)
        pytest.fail("it did not come true in 30 s")

    def is_healthy(self) -> bool:
        return self.client.get("/-/healthy").status_code == 200

    def end(self) -> str:
        self.process.terminate()
        return "".join(self.process.communicate(timeout=30))


@pytest.fixture
def server(config: Path, plain_server: str) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    variables = environ(
        with_password(plain_server, DATABASE_PASSWORD, place="127.0.0.1:1"),
        with_password(plain_server, N8N_PASSWORD),
    )
    with (
        subprocess.Popen(
            [sys.executable, "-m", "exporter", "--config", str(config), "run"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "AIWF_LISTEN": place} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        httpx.Client(base_url=f"http://{place}") as client,
    ):
        started = Server(process, client)
        started.wait_until(started.is_healthy)
        yield started
        process.kill()


def test_a_server_without_its_database_answers_and_tells_no_secret(server: Server) -> None:
    answers = [server.client.get(path) for path in ("/-/ready", "/", "/metrics", "/config")]

    assert [503, 200, 200, 200] == [answer.status_code for answer in answers]
    assert [] == leaks("\n".join(answer.text for answer in answers))
    told = server.end()
    assert "database.unavailable" in told
    assert [] == leaks(told)


def test_a_server_that_refuses_a_reload_by_signal_tells_no_secret(
    server: Server, config: Path
) -> None:
    config.write_text(f"database: {{url: 'postgresql://aiwf:{CORE}@h/d'}}\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_until(
        lambda: "aiwf_config_last_reload_successful 0" in server.client.get("/metrics").text
    )

    told = server.end()

    assert "config.refused" in told
    assert [] == leaks(told)


def test_a_server_that_is_told_to_end_ends_well(server: Server) -> None:
    told = server.end()

    assert 0 == server.process.returncode, told
    assert "Traceback" not in told


@pytest.mark.parametrize("name", ["check", "schema"])
def test_a_command_that_only_reads_the_configuration_tells_no_secret(
    name: str, config: Path, plain_server: str
) -> None:
    ended = command(
        name,
        config=config,
        **environ(
            with_password(plain_server, DATABASE_PASSWORD),
            with_password(plain_server, N8N_PASSWORD),
        ),
    )

    assert 0 == ended.returncode, ended.stderr
    assert [] == leaks(ended.stdout + ended.stderr)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (f"database: {{url: 'postgresql://aiwf:{CORE}@h/d'}}\n", "database.url"),
        (f"database: 'postgresql://aiwf:{CORE}@h/d'\n", "database"),
        (f"database: {{url: {{env: X}}, password: {CORE}}}\n", "unknown key 'password'"),
        (f"database: {{url: {{env: X}}, dashboard_password: {CORE}}}\n", "dashboard_password"),
        (f"web: {{token: {CORE}}}\n", "web.token"),
        (f"sources: [{{name: n8n, kind: n8n, url: {CORE}}}]\n", "sources.n8n.url"),
        (f"database: {{url: postgresql://aiwf:{CORE}@h/d}}: x\n", "not valid YAML"),
        (f"database: {{url: {{env: {CORE}, file: x}}}}\n", "database.url"),
    ],
)
def test_a_secret_that_was_written_into_the_file_is_not_repeated(
    written: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.yml"
    file.write_text(written)

    ended = command("check", config=file)

    assert 1 == ended.returncode
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [] == leaks(ended.stdout + ended.stderr)


def test_a_wrong_configuration_is_told_on_standard_error_only(tmp_path: Path) -> None:
    file = tmp_path / "[bold]config.yml"
    file.write_text("sorces: []\n")

    ended = command("check", config=file)

    assert (1, "") == (ended.returncode, ended.stdout)
    assert f"{file}: unknown key 'sorces'" in ended.stderr


def test_a_detail_in_brackets_is_printed_as_it_stands(
    tmp_path: Path, one_database_url: str
) -> None:
    """The table must not take a path, or our own [hidden], for markup."""
    file = tmp_path / "config.yml"
    file.write_text(
        "database: {url: {env: AIWF_DATABASE_URL}}\n"
        "sources: [{name: n8n, kind: n8n, sqlite: '/[/x][hidden]'}]\n"
    )

    ended = command("once", config=file, AIWF_DATABASE_URL=one_database_url, COLUMNS="250")

    assert 1 == ended.returncode
    assert "/[/x][hidden] cannot be opened" in ended.stdout, ended.stderr


def test_an_unknown_log_level_is_told_in_one_line(config: Path) -> None:
    ended = command("--log-level", "loud", "check", config=config)

    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr


def test_lines_of_the_log_are_json(config: Path, one_database_url: str) -> None:
    ended = command(
        "migrate",
        config=config,
        **environ(
            with_password(one_database_url, DATABASE_PASSWORD),
            with_password(one_database_url, N8N_PASSWORD),
        ),
    )

    assert 0 == ended.returncode, ended.stderr
    assert all(isinstance(json.loads(line), dict) for line in ended.stderr.splitlines())
