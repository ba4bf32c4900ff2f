"""The JSON schema that editors use accepts what the exporter accepts, and no more."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import configuration
from exporter.app import KIND_SETTINGS

jsonschema = pytest.importorskip("jsonschema", reason="install jsonschema (group dev)")

ROOT = Path(__file__).parents[2]
DATABASE = {"url": {"env": "AIWF_DATABASE_URL"}}
N8N = {"name": "n8n", "kind": "n8n", "url": {"env": "N8N_DATABASE_URL"}}
ENVIRON = {"AIWF_DATABASE_URL": "postgresql://h/d", "N8N_DATABASE_URL": "postgresql://h/n"}

RIGHT: dict[str, dict[str, Any]] = {
    "smallest": {"database": DATABASE},
    "secret from a file": {"database": {"url": {"file": "/run/secrets/url"}}},
    "example of the design": {
        "database": DATABASE,
        "web": {"listen": "127.0.0.1:9849", "token": {"env": "AIWF_DATABASE_URL"}},
        "content": {"capture": "truncated", "max_chars": 8000, "redact": ["email", "card"]},
        "sources": [N8N | {"every": "30s"}],
    },
    "everything of n8n": {
        "database": DATABASE,
        "sources": [
            N8N
            | {
                "schema": "public",
                "table_prefix": "n8n_",
                "dimensions": {"customer": ["customer_id", "client"]},
                "public_url": "https://n8n.example.com",
                "max_data_mb": 8,
                "page_rows": 100,
            }
        ],
    },
    "sqlite": {"database": DATABASE, "sources": [{"name": "a", "kind": "n8n", "sqlite": "/d"}]},
    "prices": {
        "database": DATABASE,
        "prices": [{"model": "m", "input": 1.25, "output": 10, "valid_from": "2026-01-01"}],
    },
    "retention": {"database": DATABASE, "retention": {"executions": "90d", "polls": "1.5h"}},
}
WRONG: dict[str, dict[str, Any]] = {
    "unknown key": {"database": DATABASE, "sorces": []},
    "secret in the file": {"database": {"url": "postgresql://aiwf:canary@localhost/aiwf"}},
    "secret from two places": {"database": {"url": {"env": "A", "file": "/b"}}},
    "secret with another key": {"database": {"url": {"env": "A", "vault": "b"}}},
    "secret from nowhere": {"database": {"url": {}}},
    "duration without unit": {"database": DATABASE, "retention": {"polls": 30}},
    "duration in words": {"database": DATABASE, "retention": {"polls": "5 minutes"}},
    "unknown kind": {"database": DATABASE, "sources": [N8N | {"kind": "n9n"}]},
    "no kind": {"database": DATABASE, "sources": [{"name": "a", "sqlite": "/d"}]},
    "unknown key of a source": {"database": DATABASE, "sources": [N8N | {"evry": "30s"}]},
    "key by its inner name": {"database": DATABASE, "sources": [N8N | {"schema_name": "n"}]},
    "page of no rows": {"database": DATABASE, "sources": [N8N | {"page_rows": 0}]},
    "unknown capture": {"database": DATABASE, "content": {"capture": "some"}},
}


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = configuration.json_schema(KIND_SETTINGS)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_is_a_json_schema() -> None:
    schema = json.loads(json.dumps(configuration.json_schema(KIND_SETTINGS)))

    jsonschema.Draft202012Validator.check_schema(schema)

    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]


@pytest.mark.parametrize("name", RIGHT)
def test_the_schema_accepts_a_right_configuration(validator: Any, name: str) -> None:
    assert [] == [error.message for error in validator.iter_errors(RIGHT[name])]


@pytest.mark.parametrize("name", [name for name in RIGHT if name != "secret from a file"])
def test_what_the_schema_accepts_the_exporter_accepts(tmp_path: Path, name: str) -> None:
    file = tmp_path / "config.yml"
    file.write_text(yaml.safe_dump(RIGHT[name]))

    assert configuration.load(file, KIND_SETTINGS, ENVIRON)


@pytest.mark.parametrize("name", WRONG)
def test_the_schema_refuses_a_wrong_configuration(validator: Any, name: str) -> None:
    assert not validator.is_valid(WRONG[name])


def test_every_setting_is_described_by_its_type(validator: Any) -> None:
    described = validator.schema["$defs"]

    untyped = [
        f"{model}.{name}"
        for model, definition in described.items()
        for name, setting in definition.get("properties", {}).items()
        if not setting.keys() & {"type", "anyOf", "oneOf", "$ref", "enum", "const"}
    ]
    assert [] == untyped


def test_the_example_configuration_is_accepted(validator: Any) -> None:
    example = ROOT / "config.example.yml"
    if not example.is_file():
        pytest.skip("config.example.yml is not written yet")

    document = yaml.safe_load(example.read_text(encoding="utf-8"))
    document = json.loads(json.dumps(document, default=str))  # YAML knows days, JSON does not

    assert [] == [error.message for error in validator.iter_errors(document)]
