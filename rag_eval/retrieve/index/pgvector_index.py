"""Nearest neighbours in a running PostgreSQL server with pgvector, which supports updates in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rag_eval.errors import ConfigError, EnvironmentFault
from rag_eval.protocols import Numbers, Similarity, Vectors
from rag_eval.retrieve.index.ties import in_order
from rag_eval.source import code_sha

try:
    import psycopg
    from pgvector.psycopg import register_vector
except ImportError as error:
    raise EnvironmentFault("the index needs psycopg and pgvector. Run: pip install 'rag_eval[postgres]'") from error

VECTORS, NUMBERS = "vectors.npy", "numbers.npy"
WAIT_S = 10
CREATE = "CREATE TEMPORARY TABLE passages (number bigint PRIMARY KEY, embedding vector(%d) NOT NULL)"
GRAPH = "CREATE INDEX ON passages USING hnsw (embedding vector_ip_ops)"
# A deleted row stays in the graph until VACUUM and occupies a candidate slot, so the scan must continue until k rows are found.
SCANS_ON = "SET hnsw.iterative_scan = strict_order; SET hnsw.max_scan_tuples = 2147483647"
VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
OLDEST = (0, 8)  # first version of pgvector with iterative scans
NEAREST = "SELECT number, -(embedding <#> %s) FROM passages ORDER BY embedding <#> %s, number LIMIT %s"


class Postgres:
    """Temporary table of vectors, which the server drops at the end of the session. Scores are inner products.

    The connection is configured by the environment variables of libpq: PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD or PGPASSFILE.
    Passwords are not allowed in a configuration.
    """

    can_remove = True
    is_kept = False
    similarities: frozenset[Similarity] = frozenset({"cosine", "dot"})

    def __init__(self, uri: str, search: Literal["exact", "hnsw"]) -> None:
        """Configure an empty index; the connection is opened by the first `add`.

        Args:
            uri: such as postgresql://localhost/rag; "" = environment variables only.
            search: "exact", or "hnsw" for an approximate graph index (pgvector 0.8 or later), which returns k vectors if it has
                that many.

        Raises:
            ConfigError: if the uri contains a password.
        """
        if "password=" in uri or (uri.count(":") > 1 and "@" in uri and uri.split("@")[0].rpartition("//")[2].partition(":")[2]):
            raise ConfigError("retriever.index.uri holds a password; leave it out and set PGPASSWORD or a PGPASSFILE.")
        self._uri, self._search = uri, search
        self.is_exact = search == "exact"
        self._session: psycopg.Connection[Any] | None = None
        self._n = 0

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results; the server's address is not included."""
        return {"index": "postgres", "search": self._search, "code": code_sha(__name__)}

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Add vectors under numbers. Raises EnvironmentFault if the server is not reachable, or pgvector is missing or too old."""
        session = self._opened(vectors.shape[1])
        with session.cursor().copy("COPY passages (number, embedding) FROM STDIN WITH (FORMAT BINARY)") as rows:
            rows.set_types(["int8", "vector"])
            for number, vector in zip(numbers.tolist(), vectors, strict=True):
                rows.write_row((number, np.asarray(vector)))
        self._n += len(numbers)

    def remove(self, numbers: Numbers) -> None:
        """Remove vectors."""
        if self._session is not None:
            self._session.execute("DELETE FROM passages WHERE number = ANY(%s)", (numbers.tolist(),))
            self._n -= len(numbers)

    def clear(self) -> None:
        """Remove all vectors and close the connection."""
        if self._session is not None:
            self._session.close()
        self._session, self._n = None, 0

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Nearest vectors of each query.

        Args:
            queries: float32 (n_queries, dim).
            k: number of neighbours.

        Returns:
            Inner products and numbers, both (n_queries, min(k, n_vectors)), best first, equal scores by number; number -1 where
            fewer were found.

        Raises:
            ValueError: if the index is empty or a query is not finite.
        """
        if self._session is None or self._n == 0:
            raise ValueError("the index is empty: add vectors before searching")
        if not np.isfinite(queries).all():
            raise ValueError("expected finite queries, found one that is not")
        width = min(k, self._n)
        numbers = np.full((len(queries), width), -1, dtype=np.int64)
        scores = np.zeros((len(queries), width), dtype=np.float32)
        if not self.is_exact:
            self._session.execute(f"SET hnsw.ef_search = {max(40, min(1000, width))}")
        for at, query in enumerate(queries):
            found = self._session.execute(NEAREST, (query, query, width)).fetchall()
            numbers[at, : len(found)] = [number for number, _ in found]
            scores[at, : len(found)] = [score for _, score in found]
        return in_order(scores, numbers)

    def save(self, folder: Path) -> None:
        """Write the vectors and their numbers into a folder.

        Args:
            folder: existing folder.

        Raises:
            ValueError: if the index is empty.
        """
        if self._session is None:
            raise ValueError("the index is empty: add vectors before saving")
        rows = self._session.execute("SELECT number, embedding FROM passages ORDER BY number").fetchall()
        np.save(folder / NUMBERS, np.array([number for number, _ in rows], dtype=np.int64), allow_pickle=False)
        np.save(folder / VECTORS, np.stack([vector.to_numpy() for _, vector in rows]), allow_pickle=False)

    def load(self, folder: Path) -> None:
        """Replace the content by a saved index."""
        self.clear()
        self.add(np.load(folder / NUMBERS, allow_pickle=False), np.load(folder / VECTORS, allow_pickle=False))

    def _opened(self, dim: int) -> psycopg.Connection[Any]:
        if self._session is None:
            try:
                session = psycopg.connect(self._uri, autocommit=True, connect_timeout=WAIT_S)
                session.execute("CREATE EXTENSION IF NOT EXISTS vector")
            except psycopg.Error as fault:
                reason = str(fault).strip().splitlines()[0]
                raise EnvironmentFault(f"{self._where} is not PostgreSQL with pgvector ({reason}). Start it, or set PGHOST.") from fault
            register_vector(session)
            session.execute(CREATE % dim)
            if not self.is_exact:
                self._check_version(session)
                session.execute(GRAPH)
                session.execute(SCANS_ON)
            self._session = session
        return self._session

    def _check_version(self, session: psycopg.Connection[Any]) -> None:
        (found,) = session.execute(VERSION).fetchone() or ("",)
        if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
            session.close()
            raise EnvironmentFault(
                f"{self._where} has pgvector {found}, and retriever.index.search=hnsw needs 0.8 or later. Update it, or use search=exact."
            )

    @property
    def _where(self) -> str:
        return self._uri or "the server that PGHOST and the like name"
