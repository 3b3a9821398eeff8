"""Exact nearest neighbours with torch, on the GPU if available."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt

from rag_eval.device import choose_device
from rag_eval.protocols import Numbers, Similarity, Vectors
from rag_eval.retrieve.index.ties import Hits, search_with_ties
from rag_eval.source import code_sha

VECTORS, NUMBERS = "vectors.npy", "numbers.npy"


class Exact:
    """Exhaustive inner-product search in blocks."""

    can_remove = True
    is_exact = True
    is_kept = False
    similarities: frozenset[Similarity] = frozenset({"cosine", "dot"})

    def __init__(self, device: Literal["auto", "cpu", "cuda"], block_rows: PositiveInt) -> None:
        """Configure an empty index.

        Args:
            device: "auto" uses CUDA if available. All vectors are stored there.
            block_rows: vectors per block; a search allocates n_queries * block_rows scores of 4 bytes.

        Raises:
            ConfigError: if CUDA is requested and not available.
        """
        self._device = choose_device(device)
        self._block_rows = block_rows
        self._vectors = torch.empty((0, 0), device=self._device)
        self._numbers = torch.empty(0, dtype=torch.int64, device=self._device)

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        settings = {"device": self._device.type, "block_rows": self._block_rows}
        return {"index": "torch", "version": torch.__version__, **settings, "code": code_sha(__name__)}

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Add vectors under numbers."""
        rows = torch.tensor(vectors, dtype=torch.float32, device=self._device)  # a copy
        self._vectors = torch.cat([self._vectors, rows]) if len(self._vectors) else rows
        self._numbers = torch.cat([self._numbers, torch.tensor(numbers, device=self._device)])

    def remove(self, numbers: Numbers) -> None:
        """Remove vectors."""
        stays = ~torch.isin(self._numbers, torch.tensor(numbers, device=self._device))
        self._vectors, self._numbers = self._vectors[stays], self._numbers[stays]

    def clear(self) -> None:
        """Remove all vectors."""
        self._vectors, self._numbers = self._vectors[:0], self._numbers[:0]

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Nearest vectors of each query.

        Args:
            queries: float32 (n_queries, dim).
            k: number of neighbours.

        Returns:
            Inner products and numbers, both (n_queries, min(k, n_vectors)), best first, equal scores by number.

        Raises:
            ValueError: if the index is empty or a query is not finite.
        """
        if not len(self._numbers):
            raise ValueError("the index is empty: add vectors before searching")
        asked = torch.tensor(queries, dtype=torch.float32, device=self._device)
        return search_with_ties(lambda width: self._best(asked, width), k, len(self._numbers))

    def save(self, folder: Path) -> None:
        """Write the vectors and their numbers into a folder."""
        np.save(folder / VECTORS, self._vectors.cpu().numpy(), allow_pickle=False)
        np.save(folder / NUMBERS, self._numbers.cpu().numpy(), allow_pickle=False)

    def load(self, folder: Path) -> None:
        """Replace the content by a saved index."""
        self.clear()
        self.add(np.load(folder / NUMBERS, allow_pickle=False), np.load(folder / VECTORS, allow_pickle=False))

    def _best(self, queries: torch.Tensor, width: int) -> Hits:
        scores = torch.empty((len(queries), 0), device=self._device)
        numbers = torch.empty((len(queries), 0), dtype=torch.int64, device=self._device)
        for block, named in self._blocks():
            both = torch.cat([numbers, named.expand(len(queries), -1)], dim=1)
            scores, numbers = _top(torch.cat([scores, queries @ block.T], dim=1), both, width)
        return scores.cpu().numpy(), numbers.cpu().numpy()

    def _blocks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return zip(torch.split(self._vectors, self._block_rows), torch.split(self._numbers, self._block_rows), strict=True)


def _top(scores: torch.Tensor, numbers: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    best, at = torch.topk(scores, min(width, scores.shape[1]), dim=1)
    return best, numbers.gather(1, at)
