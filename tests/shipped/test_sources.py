"""Every kind of source is told of in every place that has to know it."""

from pathlib import Path

import pytest
import yaml

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.sources import KINDS
from scripts import metrics_doc

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yml"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_block_in_the_example_configuration(kind: str) -> None:
    document = yaml.safe_load(EXAMPLE.read_text())

    assert kind in {source["kind"] for source in document["sources"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_recording_that_says_where_it_comes_from(kind: str) -> None:
    assert (ROOT / "tests" / "sources" / kind / "RECORDED.md").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_documented(kind: str) -> None:
    assert (ROOT / "docs" / f"{kind}.md").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_stands_in_the_contract_that_no_source_imports_another(kind: str) -> None:
    module = KINDS[kind].source.__module__.removesuffix(".source")

    assert f'"{module}"' in (ROOT / "pyproject.toml").read_text()


def test_the_example_configuration_shows_every_setting_of_every_kind() -> None:
    document = yaml.safe_load(EXAMPLE.read_text())
    shown: dict[str, set[str]] = {}
    for source in document["sources"]:
        shown.setdefault(source["kind"], set()).update(source)

    for kind, model in KIND_SETTINGS.items():
        keys = {field.alias or name for name, field in model.model_fields.items()}
        assert keys == shown[kind], kind
    top = set(configuration.Settings.model_fields)
    assert top == set(document)


def test_the_example_configuration_is_accepted() -> None:
    environ = dict.fromkeys(
        ("AIWF_DATABASE_URL", "AIWF_DASHBOARD_PASSWORD", "AIWF_TOKEN", "N8N_DATABASE_URL"), "x"
    )

    settings = configuration.load(EXAMPLE, KIND_SETTINGS, environ)

    assert ["n8n-production", "n8n-laptop"] == [source.name for source in settings.sources]


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert metrics_doc.TARGET.read_text() == metrics_doc.document()
