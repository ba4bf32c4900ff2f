"""Settings: from a file or from variables alone, frozen, and with secrets kept apart."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.errors import ConfigurationError
from exporter.settings import Settings

DATABASE_URL = "postgresql://aiwf:first-canary@localhost/aiwf"
N8N_URL = "postgresql://n8n:second-canary@localhost/n8n"
ENVIRON = {"AIWF_DATABASE_URL": DATABASE_URL, "N8N_DATABASE_URL": N8N_URL}
DATABASE = "database: {url: {env: AIWF_DATABASE_URL}}\n"
N8N = "sources:\n  - name: n8n\n    kind: n8n\n    url: {env: N8N_DATABASE_URL}\n"


def from_environment(**environ: str) -> Settings:
    return configuration.load(None, KIND_SETTINGS, environ)


def from_text(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "config.yml"
    file.write_text(text, encoding="utf-8")
    return configuration.load(file, KIND_SETTINGS, ENVIRON if environ is None else environ)


# --- the environment alone -----------------------------------------------------------------


def test_one_variable_is_enough() -> None:
    settings = from_environment(AIWF_DATABASE_URL=DATABASE_URL)

    assert DATABASE_URL == settings.database.url.get_secret_value()
    assert () == settings.sources
    assert "127.0.0.1:9849" == settings.web.listen


def test_a_variable_of_an_engine_makes_a_source() -> None:
    settings = from_environment(**ENVIRON)

    assert [("n8n", "n8n")] == [(source.name, source.kind) for source in settings.sources]


def test_an_empty_variable_makes_no_source() -> None:
    settings = from_environment(AIWF_DATABASE_URL=DATABASE_URL, N8N_DATABASE_URL="")

    assert () == settings.sources


def test_web_and_dashboards_are_set_by_variables() -> None:
    settings = from_environment(
        AIWF_DATABASE_URL=DATABASE_URL,
        AIWF_LISTEN="0.0.0.0:80",
        AIWF_TOKEN="a-token",
        AIWF_DASHBOARD_PASSWORD="a-password",
    )

    assert "0.0.0.0:80" == settings.web.listen
    assert settings.web.token is not None
    assert "a-token" == settings.web.token.get_secret_value()
    assert settings.database.dashboard_password is not None
    assert "a-password" == settings.database.dashboard_password.get_secret_value()


def test_without_the_database_variable_it_is_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        from_environment()

    assert (
        "environment: database.url: environment variable AIWF_DATABASE_URL is not set; "
        "set it, or AIWF_DATABASE_URL_FILE"
    ) == str(refused.value)


def test_a_wrong_variable_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigurationError, match=r"^environment: web\.listen: 'nowhere' is no"):
        from_environment(AIWF_DATABASE_URL=DATABASE_URL, AIWF_LISTEN="nowhere")


# --- a file, and variables for what it leaves out ------------------------------------------


def test_variables_stand_in_for_what_a_file_leaves_out(tmp_path: Path) -> None:
    environ = ENVIRON | {"AIWF_LISTEN": "0.0.0.0:80", "AIWF_TOKEN": "a-token"}

    settings = from_text(tmp_path, N8N, environ)

    assert DATABASE_URL == settings.database.url.get_secret_value()
    assert "0.0.0.0:80" == settings.web.listen
    assert settings.web.token is not None


def test_a_file_wins_over_variables(tmp_path: Path) -> None:
    text = "database: {url: {env: OTHER}}\nweb: {listen: '127.0.0.1:1'}\n"

    settings = from_text(
        tmp_path, text, ENVIRON | {"OTHER": "postgresql://h/o", "AIWF_LISTEN": "0.0.0.0:80"}
    )

    assert "postgresql://h/o" == settings.database.url.get_secret_value()
    assert "127.0.0.1:1" == settings.web.listen


def test_a_variable_of_an_engine_adds_no_source_to_a_file(tmp_path: Path) -> None:
    assert () == from_text(tmp_path, DATABASE).sources


@pytest.mark.parametrize("section", ["web", "content", "metrics", "retention", "prices", "sources"])
def test_a_section_whose_lines_are_commented_out_is_left_at_its_defaults(
    tmp_path: Path, section: str
) -> None:
    settings = from_text(tmp_path, f"{DATABASE}{section}:\n  # x: y\n")

    assert settings == from_text(tmp_path, DATABASE)


# --- secrets from files --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["AIWF_DATABASE_URL", "N8N_DATABASE_URL"])
def test_every_variable_may_name_a_file_instead(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{ENVIRON[name]}\n")
    others = {other: value for other, value in ENVIRON.items() if other != name}

    settings = from_environment(**others, **{f"{name}_FILE": str(file)})

    assert ENVIRON[name] in set(settings.secrets())


def test_token_and_dashboard_password_may_be_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("mounted-secret\n")

    settings = from_environment(
        AIWF_DATABASE_URL=DATABASE_URL,
        AIWF_TOKEN_FILE=str(file),
        AIWF_DASHBOARD_PASSWORD_FILE=str(file),
    )

    assert settings.web.token is not None
    assert "mounted-secret" == settings.web.token.get_secret_value()
    assert settings.database.dashboard_password == settings.web.token


def test_the_variable_wins_over_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("postgresql://of-the-file/aiwf")

    settings = from_environment(AIWF_DATABASE_URL=DATABASE_URL, AIWF_DATABASE_URL_FILE=str(file))

    assert DATABASE_URL == settings.database.url.get_secret_value()


def test_a_named_secret_may_come_from_its_file_too(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(DATABASE_URL)

    settings = from_text(tmp_path, DATABASE, {"AIWF_DATABASE_URL_FILE": str(file)})

    assert DATABASE_URL == settings.database.url.get_secret_value()


def test_a_missing_file_of_a_variable_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"the secret file /nonexistent .* cannot be read"):
        from_environment(AIWF_DATABASE_URL_FILE="/nonexistent")


def test_an_empty_file_of_a_variable_is_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        from_environment(AIWF_DATABASE_URL_FILE="/dev/null")

    assert "the secret file /dev/null (from AIWF_DATABASE_URL_FILE) is empty" in str(refused.value)


# --- values --------------------------------------------------------------------------------


def test_capture_off_needs_no_quotes(tmp_path: Path) -> None:
    """YAML reads a bare `off` as false, and this is the switch people need most."""
    settings = from_text(tmp_path, DATABASE + "content: {capture: off}\n")

    assert "off" == settings.content.capture


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("12h", 43200), ("90d", 7776000)],
)
def test_a_duration_is_a_number_and_a_unit(tmp_path: Path, text: str, seconds: float) -> None:
    settings = from_text(tmp_path, f"{DATABASE}retention: {{polls: {text}}}\n")

    assert timedelta(seconds=seconds) == settings.retention.polls


def test_a_retention_older_than_the_calendar_is_refused(tmp_path: Path) -> None:
    """`now` minus such a span is no time, and housekeeping would fail for ever."""
    with pytest.raises(ConfigurationError, match="is out of range"):
        from_text(tmp_path, DATABASE + "retention: {executions: 1000000d}\n")


def test_a_duration_is_written_in_ascii_digits(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no duration"):
        from_text(tmp_path, DATABASE + "retention: {polls: ٣d}\n")


def test_a_price_is_exact(tmp_path: Path) -> None:
    settings = from_text(
        tmp_path,
        DATABASE + "prices:\n  - {model: m, input: 0.1, output: '0.30', valid_from: 2026-01-01}\n",
    )

    (price,) = settings.prices
    assert (Decimal("0.1"), Decimal("0.30")) == (price.input, price.output)
    assert date(2026, 1, 1) == price.valid_from


def test_sources_may_share_settings_by_a_yaml_merge(tmp_path: Path) -> None:
    text = (
        DATABASE + "sources:\n"
        "  - &n8n {name: first, kind: n8n, url: {env: N8N_DATABASE_URL}, every: 10s}\n"
        "  - {<<: *n8n, name: second, schema: other}\n"
    )

    settings = from_text(tmp_path, text)

    assert ["first", "second"] == [source.name for source in settings.sources]
    assert timedelta(seconds=10) == settings.sources[1].every


def test_no_sources_may_be_written_as_nothing(tmp_path: Path) -> None:
    assert () == from_text(tmp_path, DATABASE + "sources:\n").sources


def test_a_schema_is_set_by_its_outer_name(tmp_path: Path) -> None:
    settings = from_text(tmp_path, DATABASE + N8N + "    schema: automation\n")

    (source,) = settings.sources
    assert "automation" == source.model_dump()["schema_name"]


# --- the tree ------------------------------------------------------------------------------


def test_settings_are_frozen_at_every_level(tmp_path: Path) -> None:
    settings = from_text(tmp_path, DATABASE + N8N)

    for node, name in (
        (settings, "sources"),
        (settings.web, "listen"),
        (settings.database, "url"),
        (settings.sources[0], "every"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(node, name, None)


def test_printing_the_settings_shows_no_secret() -> None:
    settings = from_environment(**ENVIRON, AIWF_TOKEN="third-canary")

    printed = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"

    assert "canary" not in printed


def test_every_secret_is_told_with_the_password_inside_it() -> None:
    settings = from_environment(
        **ENVIRON, AIWF_TOKEN="third-canary", AIWF_DASHBOARD_PASSWORD="fourth-canary"
    )

    assert {
        DATABASE_URL,
        N8N_URL,
        "first-canary",
        "second-canary",
        "third-canary",
        "fourth-canary",
    } <= set(settings.secrets())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://aiwf:the%20canary@localhost/aiwf",
        "postgresql://localhost/aiwf?user=aiwf&password=the%20canary",
        "host=localhost user=aiwf password='the canary'",
    ],
)
def test_a_password_is_told_as_the_server_knows_it(url: str) -> None:
    settings = from_environment(AIWF_DATABASE_URL=url)

    assert "the canary" in set(settings.secrets())


@pytest.mark.parametrize("mark", ["#", "?", "℀"])
def test_a_password_with_a_mark_of_urls_is_told(mark: str) -> None:
    """libpq reads a password up to the @; urllib stops at these, or raises."""
    url = f"postgresql://aiwf:the{mark}canary@localhost/aiwf"

    assert f"the{mark}canary" in set(from_environment(AIWF_DATABASE_URL=url).secrets())


@pytest.mark.parametrize("url", ["postgresql://[::1/aiwf", "://", "postgresql://u:%zz@h/d", "a b"])
def test_a_url_that_cannot_be_read_is_still_told_as_a_whole(url: str) -> None:
    assert url in set(from_environment(AIWF_DATABASE_URL=url).secrets())
