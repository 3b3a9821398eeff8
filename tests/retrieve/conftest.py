"""A real PostgreSQL server for as long as the tests of this folder run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[None]:
    """The server; PGHOST and the like name it."""
    from rag_eval.testing.postgres import local_server

    with local_server():
        yield
