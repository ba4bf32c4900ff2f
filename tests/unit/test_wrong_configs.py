"""Each file of wrong_configs is refused with the message that stands in its first lines."""

from pathlib import Path

import pytest

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.errors import ConfigurationError
from exporter.sources.status.formats import FORMATS
from exporter.sources.status.settings import catalogue

FILES = sorted((Path(__file__).parents[1] / "wrong_configs").glob("*.yml"))
MARK = "# expect: "
ENVIRON = {
    "OUR_DATABASE_URL": "postgresql://aiwf:canary@localhost/aiwf",
    "N8N_DATABASE_URL": "postgresql://n8n:canary@localhost/n8n",
}


def expected(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    marked = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    lists = {
        "{kinds}": sorted(KIND_SETTINGS),
        "{pages}": sorted(catalogue()),
        "{page_kinds}": ["auto", *FORMATS],
    }
    for place, known in lists.items():
        marked = [line.replace(place, ", ".join(known)) for line in marked]
    return marked


def refusal(file: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        configuration.load(file, KIND_SETTINGS, ENVIRON)
    return str(refused.value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_wrong_file_is_refused_with_exactly_its_message(file: Path) -> None:
    said = refusal(file).splitlines()

    assert expected(file) == [line.removeprefix(str(file)).lstrip(":, ") for line in said]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_line_of_a_refusal_begins_with_the_file(file: Path) -> None:
    assert [] == [line for line in refusal(file).splitlines() if not line.startswith(str(file))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_refusal_repeats_no_secret(file: Path) -> None:
    assert "canary" not in refusal(file)


def test_a_file_that_is_not_there_is_named_with_the_cause(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"

    assert f"{file}: cannot be read: No such file or directory" == refusal(file)


def test_a_directory_in_place_of_the_file_is_named_with_the_cause(tmp_path: Path) -> None:
    assert f"{tmp_path}: cannot be read: Is a directory" == refusal(tmp_path)


def test_a_file_in_another_encoding_is_named_with_the_byte(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_bytes("# für n8n".encode("latin-1"))

    assert f"{file}: not UTF-8 at byte 3" == refusal(file)


def test_a_file_of_control_characters_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("web: \0")

    assert 1 == len(refusal(file).splitlines())
