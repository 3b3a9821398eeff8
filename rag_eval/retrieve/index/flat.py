"""Exact nearest vectors by FAISS, on the CPU."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rag_eval.errors import EnvironmentFault
from rag_eval.parts import Vectors
from rag_eval.retrieve.index.ties import Hits, search_with_ties

try:
    import faiss
except ImportError as error:
    raise EnvironmentFault("the index needs FAISS, which is not installed. Run: pip install 'rag_eval[cpu]'") from error


class Flat:
    """Compares a query with every row (IndexFlatIP, IndexFlatL2): no approximation.

    Rows with the same content may differ in the last bit of their score, depending on how many queries FAISS takes at
    once; equal scores come by row number, also where they cross the cut-off.
    """

    def __init__(self, metric: Literal["inner_product", "l2"]) -> None:
        """
        Args:
            metric: what a score is: the inner product, or the negative squared distance. Higher is better in both, and
                on unit vectors both rank alike.

        Raises:
            EnvironmentFault: if two builds of FAISS are installed over each other.
        """
        _refuse_two_builds(distribution.metadata["Name"] for distribution in metadata.distributions())
        self._metric = metric
        self._index: faiss.IndexFlat | None = None  # made by the first add, which knows the dimension

    def add(self, vectors: Vectors) -> None:
        """Append rows; they are numbered in order of arrival, from 0."""
        if self._index is None:
            make = faiss.IndexFlatIP if self._metric == "inner_product" else faiss.IndexFlatL2
            self._index = make(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors))

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and row numbers, both (n_queries, min(k, rows)), best first, equal scores by row number.

        Raises:
            ValueError: if the index is empty or a query is not finite.
        """
        index = self._index
        if index is None:
            raise ValueError("the index is empty: add vectors before searching")
        sign = 1 if self._metric == "inner_product" else -1

        def nearest(width: int) -> Hits:
            scores, rows = index.search(np.ascontiguousarray(queries), width)
            return sign * scores, rows

        return search_with_ties(nearest, k, index.ntotal)


def _refuse_two_builds(names: Iterable[str]) -> None:
    builds = sorted({name.lower().replace("_", "-") for name in names if name and name.lower().startswith("faiss")})
    if len(builds) > 1:
        together, listed = " and ".join(builds), " ".join(builds)
        raise EnvironmentFault(f"{together} overwrite each other's files. Run: pip uninstall -y {listed}; then install one of them.")
