"""Every route of the HTTP server: status, content type, and who may ask."""

import gzip
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import __version__, configuration, web
from exporter.app import KIND_SETTINGS, App, SourceState
from exporter.interfaces import PollResult
from exporter.settings import Settings
from exporter.sinks.exposition import Exposition
from exporter.sinks.prometheus import Bookkeeper, LabelCaps

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
TOKEN = "the-canary-token"
ENVIRON = {
    "AIWF_DATABASE_URL": "postgresql://aiwf:database-canary@127.0.0.1:1/aiwf",
    "N8N_DATABASE_URL": "postgresql://n8n:source-canary@127.0.0.1:1/n8n",
}


def new_exposition() -> Exposition:
    caps = LabelCaps(500)
    return Exposition(caps, Bookkeeper(caps), version=__version__)


def settings(**environ: str) -> Settings:
    return configuration.load(None, KIND_SETTINGS, ENVIRON | environ)


@dataclass
class Stub:
    """What the server needs of the exporter, set by hand."""

    settings: Settings = field(default_factory=lambda: settings(AIWF_TOKEN=TOKEN))
    exposition: Exposition = field(default_factory=new_exposition)
    is_ready: bool = True
    shown: Sequence[SourceState] = ()
    refuses: str | None = None
    reloads: int = 0

    def sources(self) -> Sequence[SourceState]:
        return self.shown

    def reload(self) -> str | None:
        self.reloads += 1
        return self.refuses


def client_of(stub: Stub | App) -> TestClient:
    return TestClient(web.build(stub, lambda: NOW), raise_server_exceptions=False)


def state(name: str = "n8n", last: PollResult | None = None) -> SourceState:
    return SourceState(name, "n8n", timedelta(seconds=30), last)


def result(outcome: str = "ok", **fields: object) -> PollResult:
    made = PollResult(
        source="n8n",
        outcome=outcome,
        started_at=NOW - timedelta(seconds=12),
        duration_seconds=0.25,
        records=42,
        newest_at=NOW - timedelta(minutes=3),
    )
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


# --- health --------------------------------------------------------------------------------


def test_healthy_while_the_process_lives() -> None:
    answer = client_of(Stub(is_ready=False)).get("/-/healthy")

    assert (200, "healthy\n") == (answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("text/plain")


def test_ready_once_the_database_answered() -> None:
    answer = client_of(Stub()).get("/-/ready")

    assert (200, "ready\n") == (answer.status_code, answer.text)


def test_not_ready_before_the_database_answers() -> None:
    app = App(None, ENVIRON)

    answer = client_of(app).get("/-/ready")

    app.stop()
    assert (503, "not ready: the database does not answer yet\n") == (
        answer.status_code,
        answer.text,
    )


def test_ready_after_the_database_was_prepared(
    make_app: Callable[..., App], one_database_url: str
) -> None:
    app = make_app(one_database_url, ENVIRON["N8N_DATABASE_URL"])

    assert 200 == client_of(app).get("/-/ready").status_code


def test_metrics_are_served_while_the_database_is_down() -> None:
    app = App(None, ENVIRON)

    answer = client_of(app).get("/metrics")

    app.stop()
    assert 200 == answer.status_code
    assert "aiwf_build_info" in answer.text


# --- /metrics ------------------------------------------------------------------------------


def test_metrics_are_text_by_default() -> None:
    answer = client_of(Stub()).get("/metrics", headers={"accept-encoding": "identity"})

    assert 200 == answer.status_code
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]
    assert "content-encoding" not in answer.headers
    assert list(parse_text(answer.text))


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
    ],
)
def test_metrics_are_openmetrics_when_asked_for(accept: str) -> None:
    answer = client_of(Stub()).get("/metrics", headers={"accept": accept})

    assert (
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
        == (answer.headers["content-type"])
    )
    assert list(parse_openmetrics(answer.text))


def test_metrics_are_packed_when_asked_for() -> None:
    client = client_of(Stub())
    plain = client.get("/metrics", headers={"accept-encoding": "identity"}).content
    with client.stream("GET", "/metrics", headers={"accept-encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())

    assert "gzip" == answer.headers["content-encoding"]
    assert plain == gzip.decompress(packed)


def test_metrics_are_not_packed_when_packing_is_refused() -> None:
    answer = client_of(Stub()).get("/metrics", headers={"accept-encoding": "gzip;q=0"})

    assert "content-encoding" not in answer.headers


def test_metrics_say_what_their_form_depends_on() -> None:
    vary = client_of(Stub()).get("/metrics").headers["vary"]

    assert {"accept", "accept-encoding"} == {word.strip().lower() for word in vary.split(",")}


# --- /-/reload -----------------------------------------------------------------------------


def test_reload_with_the_token_reloads() -> None:
    stub = Stub()

    answer = client_of(stub).post("/-/reload", headers={"authorization": f"Bearer {TOKEN}"})

    assert (200, "reloaded\n", 1) == (answer.status_code, answer.text, stub.reloads)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer  {TOKEN}",
     f"Basic {TOKEN}", TOKEN, "Bearer Ünicode"],
)  # fmt: skip
def test_reload_without_the_right_token_is_refused(header: str | None) -> None:
    stub = Stub()
    headers = {"authorization": header.encode()} if header is not None else {}

    answer = client_of(stub).post("/-/reload", headers=headers)

    assert (401, 0) == (answer.status_code, stub.reloads)
    assert TOKEN not in answer.text


def test_a_refused_token_names_the_scheme_as_http_demands() -> None:
    answer = client_of(Stub()).post("/-/reload")

    assert "Bearer" == answer.headers["www-authenticate"]


def test_a_token_that_is_not_ascii_is_understood() -> None:
    stub = Stub(settings=settings(AIWF_TOKEN="schlüssel"))

    answer = client_of(stub).post(
        "/-/reload", headers={"authorization": "Bearer schlüssel".encode()}
    )

    assert (200, 1) == (answer.status_code, stub.reloads)


@pytest.mark.parametrize("header", [None, "Bearer ", f"Bearer {TOKEN}"])
def test_reload_is_off_without_a_configured_token(header: str | None) -> None:
    stub = Stub(settings=settings())

    answer = client_of(stub).post("/-/reload", headers={"authorization": header} if header else {})

    assert (403, 0) == (answer.status_code, stub.reloads)
    assert "set web.token" in answer.json()["detail"]


def test_a_refused_configuration_is_told_with_its_reason() -> None:
    stub = Stub(refuses="config.yml: missing key 'database'")

    answer = client_of(stub).post("/-/reload", headers={"authorization": f"Bearer {TOKEN}"})

    assert (400, "config.yml: missing key 'database'\n") == (answer.status_code, answer.text)


def test_reading_does_not_reload() -> None:
    stub = Stub()

    answer = client_of(stub).get("/-/reload", headers={"authorization": f"Bearer {TOKEN}"})

    assert (405, 0) == (answer.status_code, stub.reloads)


# --- /config -------------------------------------------------------------------------------


def test_the_configuration_is_shown_without_its_secrets() -> None:
    answer = client_of(Stub()).get("/config")

    shown = yaml.safe_load(answer.text)
    assert 200 == answer.status_code
    assert answer.headers["content-type"].startswith("text/plain")
    assert ["n8n"] == [source["name"] for source in shown["sources"]]
    assert "canary" not in answer.text


def test_the_configuration_is_shown_by_the_names_one_writes() -> None:
    (source,) = yaml.safe_load(client_of(Stub()).get("/config").text)["sources"]

    assert source.keys() >= {"schema", "url", "every", "page_rows"}
    assert "schema_name" not in source


def test_a_password_in_a_public_url_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(
        "database: {url: {env: AIWF_DATABASE_URL}}\n"
        "sources:\n"
        "  - {name: n8n, kind: n8n, sqlite: /d, public_url: 'https://me:canary@n8n.example.com'}\n"
    )
    try:
        shown = client_of(Stub(settings=configuration.load(file, KIND_SETTINGS, ENVIRON)))
    except configuration.ConfigurationError:
        return  # refusing it is as good

    assert "canary" not in shown.get("/config").text


# --- the landing page ----------------------------------------------------------------------


def test_the_landing_page_shows_every_source_with_its_last_poll() -> None:
    stub = Stub(shown=[state("first", result()), state("second")])

    answer = client_of(stub).get("/")

    assert 200 == answer.status_code
    assert "text/html; charset=utf-8" == answer.headers["content-type"]
    for text in ("first", "12 s ago, took 0.25 s", "42", "3 min ago", "second", "not yet"):
        assert text in answer.text


def test_the_landing_page_links_to_what_there_is() -> None:
    client = client_of(Stub())
    page = client.get("/").text

    for path in ("/metrics", "/config", "/docs"):
        assert f'href="{path}"' in page
        assert 200 == client.get(path).status_code, path


def test_the_landing_page_escapes_what_others_wrote() -> None:
    attack = "<script>alert('x')</script>&\""
    stub = Stub(shown=[state(attack, result("refused", detail=attack))])

    page = client_of(stub).get("/").text

    assert "<script>" not in page
    assert 2 == page.count(html.escape(attack))


def test_the_landing_page_says_how_a_poll_failed() -> None:
    stub = Stub(shown=[state("n8n", result("later", detail="no answer", newest_at=None))])

    page = client_of(stub).get("/").text

    assert "later: no answer" in page
    assert "unknown" in page


@pytest.mark.parametrize(("ready", "text"), [(True, "ready"), (False, "waiting for the database")])
def test_the_landing_page_says_whether_we_are_ready(ready: bool, text: str) -> None:
    assert text in client_of(Stub(is_ready=ready)).get("/").text


def test_the_landing_page_without_sources_says_what_to_do() -> None:
    assert "N8N_DATABASE_URL" in client_of(Stub()).get("/").text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-5), "0 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=4), "4 d ago"),
    ],
)
def test_ages_are_told_in_one_unit(age: timedelta, text: str) -> None:
    stub = Stub(shown=[state("n8n", result(started_at=NOW - age))])

    assert f"<td>{text}, took" in client_of(stub).get("/").text


# --- the rest ------------------------------------------------------------------------------


def test_the_api_is_described() -> None:
    described = client_of(Stub()).get("/openapi.json").json()

    assert {"/metrics", "/-/healthy", "/-/ready", "/-/reload", "/config"} <= set(described["paths"])
    assert __version__ == described["info"]["version"]


@pytest.mark.parametrize("path", ["/nothing", "/metrics/x", "/../etc/passwd", "/-/"])
def test_a_path_that_is_not_there_is_not_found(path: str) -> None:
    assert 404 == client_of(Stub()).get(path).status_code


@pytest.mark.parametrize("path", ["/", "/metrics", "/config", "/-/healthy", "/-/ready"])
def test_what_is_read_cannot_be_written(path: str) -> None:
    assert 405 == client_of(Stub()).post(path).status_code


def test_an_error_of_ours_tells_the_caller_nothing() -> None:
    class Broken(Stub):
        def reload(self) -> str | None:
            raise RuntimeError("the canary is in here")

    answer = client_of(Broken()).post("/-/reload", headers={"authorization": f"Bearer {TOKEN}"})

    assert 500 == answer.status_code
    assert "canary" not in answer.text
