"""Every kind of source is told of in every place that has to know it."""

import re
from pathlib import Path

import pytest
import yaml

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.sources import KINDS
from scripts import metrics_doc
from tests.shipped import source_contract

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yml"


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_that_has_to_know_a_kind_knows_it(kind: str) -> None:
    assert [] == source_contract.missing(kind)


def test_a_new_kind_is_told_every_place_that_was_forgotten(tmp_path: Path) -> None:
    """The recipe of CONTRIBUTING, followed step by step for a made-up provider."""
    (tmp_path / "config.example.yml").write_text("sources: [{kind: n8n}]\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests" / "sources").mkdir(parents=True)
    steps = {
        "config.example.yml": "sources: [{kind: n8n}, {kind: acme}]\n",
        "tests/sources/acme/RECORDED.md": "Restated from the API reference.\n",
        "tests/sources/acme/usage.json": "{}\n",
        "tests/sources/test_acme.py": "",
        "docs/providers.md": "# Providers\n\n## Acme (`acme`)\n",
    }

    for place, content in steps.items():
        forgotten = source_contract.missing("acme", tmp_path)
        assert forgotten[0].startswith(place.rpartition("/usage")[0] or place), forgotten
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(content)

    assert [] == source_contract.missing("acme", tmp_path)


def test_the_contract_that_no_source_imports_another_holds_for_every_kind() -> None:
    """Its wildcards cover every module: nobody has to enter a new one."""
    contracts = (ROOT / "pyproject.toml").read_text()
    for kind in KINDS.values():
        package = re.escape(".".join(kind.source.__module__.split(".")[:3]))
        # What is written in several ways is the kinds, or within a kind its formats.
        assert re.search(rf'"{package}\.(formats\.)?\*"', contracts), kind.source.__module__


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
    document = yaml.safe_load(EXAMPLE.read_text())
    environ = dict.fromkeys(re.findall(r"{env: (\w+)}", EXAMPLE.read_text()), "x")

    settings = configuration.load(EXAMPLE, KIND_SETTINGS, environ)

    listed = [source["name"] for source in document["sources"]]
    assert listed == [source.name for source in settings.sources]


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert metrics_doc.TARGET.read_text() == metrics_doc.document()
