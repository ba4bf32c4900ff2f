"""Log lines: one JSON object each, with no configured secret in any form, in any field."""

import base64
import json
import logging
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.log import HIDDEN, JsonLines, Redactor, redact

# What a secret is made of is free; its core is a word that no other part of a line contains.
CORE = "cAnArY"
SECRETS = st.builds(
    lambda before, after: f"{before}{CORE}{after}",
    st.text(max_size=8),
    st.text(max_size=8),
).filter(lambda secret: secret == secret.strip())
FORMS = {
    "plain": lambda secret: secret,
    "repr": repr,
    "repr of its repr": lambda secret: repr(repr(secret)),
    "in an exception's arguments": lambda secret: repr(ValueError({"url": secret})),
    "JSON": json.dumps,
    "JSON without escapes": lambda secret: json.dumps(secret, ensure_ascii=False),
    "URL-encoded": urllib.parse.quote,
    "URL-encoded with slashes": lambda secret: urllib.parse.quote(secret, safe=""),
    "form-encoded": urllib.parse.quote_plus,
    "password of a DSN": lambda secret: (
        f"postgresql://aiwf:{urllib.parse.quote(secret, safe='')}@db:5432/aiwf"
    ),
    "bearer header": lambda secret: f"Authorization: Bearer {secret}",
}


@contextmanager
def learned(*secrets: str) -> Iterator[None]:
    redact.learn(secrets)
    try:
        yield
    finally:
        redact.learn([])


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("exporter.test", logging.INFO, "here.py", 1, message, arguments, None)
    vars(made).update(extra)
    return made


def line_of(made: logging.LogRecord) -> str:
    return JsonLines().format(made)


def fields(line: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    decoded = json.loads(line, parse_constant=refuse)
    assert isinstance(decoded, dict)
    return decoded


def _refuse(text: str) -> None:
    raise ConnectionError(text)


def with_traceback(text: str) -> logging.LogRecord:
    made = record("poll.crashed")
    try:
        try:
            _refuse(text)
        except ConnectionError as error:
            raise RuntimeError("while polling") from error
    except RuntimeError:
        made.exc_info = sys.exc_info()
    return made


# --- secrets -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRETS)
@example(secret=f'{CORE}"quoted"')
@example(secret=f"{CORE}\\back\\slash")
@example(secret=f"{CORE}\nnew line\tand tab")
@example(secret=f"{CORE}\x01control")
@example(secret=f"{CORE} with space+plus/slash")
@example(secret=f"{CORE}'single\"and double")
@example(secret=f"übel{CORE}\N{SNOWMAN}\N{PILE OF POO}")
@example(secret=f"{CORE}%2Fpercent")
def test_a_secret_in_a_message_is_hidden(form: str, secret: str) -> None:
    with learned(secret):
        line = line_of(record("event %s", FORMS[form](secret)))

    assert CORE not in line


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRETS, before=st.text(max_size=5), after=st.text(max_size=5))
def test_a_secret_in_a_field_is_hidden_whatever_stands_around_it(
    form: str, secret: str, before: str, after: str
) -> None:
    text = f"{before} {FORMS[form](secret)} {after}"

    with learned(secret):
        line = line_of(record("event", detail=text, nested={"urls": [text], text: (text,)}))

    assert CORE not in line


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRETS)
def test_a_secret_in_a_traceback_is_hidden_with_its_causes(form: str, secret: str) -> None:
    with learned(secret):
        line = line_of(with_traceback(FORMS[form](secret)))

    assert CORE not in line
    assert "RuntimeError: while polling" in fields(line)["traceback"]


@given(secret=SECRETS)
def test_a_secret_in_base64_is_hidden(secret: str) -> None:
    encoded = base64.b64encode(secret.encode()).decode()

    with learned(secret):
        line = line_of(record("event", detail=f"header {encoded} was refused"))

    assert encoded not in fields(line)["detail"]


@given(secret=SECRETS)
def test_a_secret_in_a_basic_header_is_hidden(secret: str) -> None:
    encoded = base64.b64encode(f"user:{secret}".encode()).decode()

    with learned(secret):
        line = line_of(record("event", detail=f"Authorization: Basic {encoded}"))

    assert encoded not in line


@given(first=SECRETS, rest=st.text(min_size=1, max_size=4))
def test_of_two_secrets_the_longer_is_hidden_whole(first: str, rest: str) -> None:
    longer = first + rest

    with learned(first, longer):
        assert HIDDEN == redact(longer)


def test_a_secret_in_an_object_that_is_no_text_is_hidden() -> None:
    class Settings:
        def __str__(self) -> str:
            return f"url={CORE}-in-an-object"

    with learned(f"{CORE}-in-an-object"):
        line = line_of(
            record("event", settings=Settings(), error=ValueError(f"{CORE}-in-an-object"))
        )

    assert CORE not in line


def test_a_secret_in_bytes_is_hidden() -> None:
    with learned(f"{CORE}-in-bytes"):
        line = line_of(record("event", body=f"{CORE}-in-bytes".encode()))

    assert CORE not in line
    assert base64.b64encode(f"{CORE}-in-bytes".encode()).decode() not in line


def test_a_record_that_cannot_be_formatted_shows_no_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """logging prints such a record's arguments by itself, past every formatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())

    with learned(f"{CORE}-argument"):
        handler.handle(record("%d rows", f"{CORE}-argument"))

    assert CORE not in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "connection to postgresql://n8n:hunter2@db/n8n failed",
        "connection to postgresql://:hunter2@db/n8n failed",
        "host=db password=hunter2 user=n8n",
        "host=db password='hunter2' user=n8n",
        'password="hunter2"',
        '{"token": "hunter2"}',
        "api_key: hunter2",
        "Authorization: Bearer hunter2.long.enough",
        "key sk-hunter2hunter2 was refused",
    ],
)
def test_what_looks_like_a_secret_is_hidden_unlearned(text: str) -> None:
    assert "hunter2" not in redact(text)


def test_a_new_redactor_hides_nothing_but_patterns() -> None:
    assert f"{CORE} stays" == Redactor()(f"{CORE} stays")


def test_a_short_secret_does_not_hide_ordinary_words() -> None:
    redactor = Redactor()
    redactor.learn(["abc", ""])

    assert "the abc of it" == redactor("the abc of it")


def test_secrets_of_the_configuration_before_stay_hidden() -> None:
    """After a reload a poll under way may still speak of the old ones."""
    redactor = Redactor()
    redactor.learn([f"{CORE}-old"])
    redactor.learn([f"{CORE}-new"])

    assert CORE not in redactor(f"{CORE}-old {CORE}-new")


# --- ordinary text -------------------------------------------------------------------------

ORDINARY = """
    poll finished of n8n at 12:30 took 0.5 s, 42 rows (3 left); tokens: 17 user@example.com
    https://n8n.example.com/workflow/7 http://localhost:5678 a/b C:\\data 100% größer 发票
    column "deletedAt" does not exist status=error max_tokens=5 {"a": 1} [hidden] ~ # &
"""
WORDS = st.lists(st.sampled_from(ORDINARY.split()), max_size=12).map(" ".join)


@given(event=WORDS, detail=WORDS)
def test_ordinary_text_survives(event: str, detail: str) -> None:
    with learned(f"{CORE}-elsewhere"):
        line = fields(line_of(record("%s", event, detail=detail, records=42, seconds=0.5)))

    assert (event, detail, 42, 0.5) == (
        line["event"],
        line["detail"],
        line["records"],
        line["seconds"],
    )


@given(event=st.text(), detail=st.text(), key=st.text())
@example(event="see http://localhost:5678", detail="mail to a@b", key="x")
@example(event='password="x"', detail="token='y'", key="z")
def test_any_text_makes_one_line_of_json_with_every_field(
    event: str, detail: str, key: str
) -> None:
    with learned(f"{CORE}-elsewhere"):
        line = line_of(record("%s", event, detail=detail, nested={key: 1}))

    assert "\n" not in line
    assert {"at", "level", "logger", "event", "detail", "nested"} == fields(line).keys()


def test_half_a_surrogate_pair_is_logged_too() -> None:
    line = line_of(record("workflow %s", "broken \ud83d name"))

    assert fields(line)["event"].startswith("workflow broken ")


@pytest.mark.parametrize(
    "value",
    [{("a", 1): 2}, {1, 2}, b"\xff", float("nan"), float("inf"), 2**80, object(), {None: 1}],
    ids=lambda value: type(value).__name__,
)
def test_any_value_of_a_field_is_logged(value: object) -> None:
    assert "value" in fields(line_of(record("event", value=value)))


def test_a_line_says_when_how_bad_who_and_what() -> None:
    made = record("poll.finished", source="n8n")
    made.created = 1767441600.25

    assert {
        "at": "2026-01-03T12:00:00.250+00:00",
        "level": "info",
        "logger": "exporter.test",
        "event": "poll.finished",
        "source": "n8n",
    } == fields(line_of(made))
