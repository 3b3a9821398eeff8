"""Approximate nearest neighbours with Annoy, a forest of random splits. The forest is immutable, so every change rebuilds it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt

from rag_eval.errors import EnvironmentFault
from rag_eval.protocols import Numbers, Similarity, Vectors
from rag_eval.retrieve.index.ties import in_order
from rag_eval.source import code_sha

try:
    from annoy import AnnoyIndex
except ImportError as error:
    raise EnvironmentFault("the index needs Annoy, which is not installed. Run: pip install 'rag_eval[annoy]'") from error

FOREST, VECTORS, NUMBERS = "forest.ann", "vectors.npy", "numbers.npy"


class Annoy:
    """Annoy forest over unit vectors by angle; scores are inner products. Approximate."""

    can_remove = True  # by a rebuild from the stored vectors
    is_exact = False
    is_kept = True
    similarities: frozenset[Similarity] = frozenset({"cosine"})

    def __init__(self, trees: PositiveInt, search_nodes: PositiveInt, seed: NonNegativeInt) -> None:
        """Configure an empty index.

        Args:
            trees: number of trees; more increase recall and memory.
            search_nodes: nodes inspected per search; more increase recall and time.
            seed: seed of the splits.
        """
        self._trees, self._search_nodes, self._seed = trees, search_nodes, seed
        self._vectors: Vectors = np.zeros((0, 0), dtype=np.float32)
        self._numbers: Numbers = np.zeros(0, dtype=np.int64)
        self._forest: AnnoyIndex | None = None  # built when needed

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        settings = {"trees": self._trees, "search_nodes": self._search_nodes, "seed": self._seed}
        return {"index": "annoy", "version": version("annoy"), **settings, "code": code_sha(__name__)}

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Add vectors under numbers; the forest is built by the next search or save."""
        self._vectors = np.concatenate([self._vectors, vectors]) if len(self._vectors) else np.array(vectors)
        self._numbers = np.concatenate([self._numbers, numbers])
        self._forest = None

    def remove(self, numbers: Numbers) -> None:
        """Remove vectors; the forest is rebuilt by the next search or save."""
        stays = ~np.isin(self._numbers, numbers)
        self._vectors, self._numbers, self._forest = self._vectors[stays], self._numbers[stays], None

    def clear(self) -> None:
        """Remove all vectors."""
        self._vectors, self._numbers, self._forest = self._vectors[:0], self._numbers[:0], None

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Nearest vectors of each query.

        Args:
            queries: float32 (n_queries, dim), unit rows.
            k: number of neighbours.

        Returns:
            Inner products and numbers, both (n_queries, min(k, n_vectors)), best first, equal scores by number; number -1 where
            fewer were found.

        Raises:
            ValueError: if the index is empty or a query is not finite.
        """
        if not len(self._numbers):
            raise ValueError("the index is empty: add vectors before searching")
        if not np.isfinite(queries).all():
            raise ValueError("expected finite queries, found one that is not")
        forest = self._grown()
        width = min(k, len(self._numbers))
        numbers = np.full((len(queries), width), -1, dtype=np.int64)
        scores = np.zeros((len(queries), width), dtype=np.float32)
        for at, query in enumerate(queries):
            rows = forest.get_nns_by_vector(query, width, search_k=self._search_nodes)
            numbers[at, : len(rows)] = self._numbers[rows]
            scores[at, : len(rows)] = self._vectors[rows] @ query
        return in_order(scores, numbers)

    def save(self, folder: Path) -> None:
        """Write the forest, the vectors and their numbers into a folder."""
        self._grown().save(str(folder / FOREST))
        np.save(folder / VECTORS, self._vectors, allow_pickle=False)
        np.save(folder / NUMBERS, self._numbers, allow_pickle=False)

    def load(self, folder: Path) -> None:
        """Read a saved index; the forest is memory-mapped."""
        self._vectors = np.load(folder / VECTORS, allow_pickle=False)
        self._numbers = np.load(folder / NUMBERS, allow_pickle=False)
        forest = AnnoyIndex(self._vectors.shape[1], "angular")
        forest.load(str(folder / FOREST))
        self._forest = forest

    def _grown(self) -> AnnoyIndex:
        if self._forest is None:
            forest = AnnoyIndex(self._vectors.shape[1], "angular")
            forest.set_seed(self._seed)
            for row, vector in enumerate(self._vectors):
                forest.add_item(row, vector)
            forest.build(self._trees, n_jobs=1)
            self._forest = forest
        return self._forest
