"""Our database after one poll of the recorded n8n, made once and cloned for each test."""

from collections.abc import Callable, Iterator

import pytest

from tests import databases
from tests.sources.by_hand import exporter


@pytest.fixture(scope="session")
def read_template(
    plain_server: str,
    n8n_template: str,
    migrated: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The name of the database that is cloned."""
    folder = tmp_path_factory.mktemp("read")
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        n8n_url = databases.with_database(plain_server, n8n_template)
        with exporter(folder, url, {"url": n8n_url}) as app:
            app.poll_ok()
        yield databases.database_name(url)


@pytest.fixture
def read_url(plain_server: str, read_template: str) -> Iterator[str]:
    """Our database, holding all of the recorded n8n."""
    with databases.new_database(plain_server, template=read_template) as url:
        yield url
