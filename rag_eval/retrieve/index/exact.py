"""Exact nearest vectors by torch, on the GPU where there is one."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt

from rag_eval.device import choose_device
from rag_eval.parts import Vectors
from rag_eval.retrieve.index.ties import Hits, search_with_ties


class Exact:
    """Compares a query with every row by inner product, a block of rows at a time, and keeps the best so far."""

    def __init__(self, device: Literal["auto", "cpu", "cuda"], block_rows: PositiveInt) -> None:
        """
        Args:
            device: auto takes CUDA when there is one. All vectors lie there.
            block_rows: rows compared at once; a search holds n_queries * block_rows scores of 4 bytes.

        Raises:
            ConfigError: if CUDA is demanded and there is none.
        """
        self._device = choose_device(device)
        self._block_rows = block_rows
        self._blocks: list[torch.Tensor] = []  # float32 (at most block_rows, dim), in order of arrival

    def add(self, vectors: Vectors) -> None:
        """Append rows; they are numbered in order of arrival, from 0."""
        rows = torch.tensor(vectors, dtype=torch.float32, device=self._device)  # a copy: the caller keeps its own
        self._blocks += torch.split(rows, self._block_rows)

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Inner products and row numbers, both (n_queries, min(k, rows)), best first, equal scores by row number.

        Raises:
            ValueError: if the index is empty or a query is not finite.
        """
        n_rows = sum(len(block) for block in self._blocks)
        if n_rows == 0:
            raise ValueError("the index is empty: add vectors before searching")
        asked = torch.tensor(queries, dtype=torch.float32, device=self._device)
        return search_with_ties(lambda width: self._best(asked, width), k, n_rows)

    def _best(self, queries: torch.Tensor, width: int) -> Hits:
        scores = torch.empty((len(queries), 0), device=self._device)
        rows = torch.empty((len(queries), 0), dtype=torch.int64, device=self._device)
        first = 0
        for block in self._blocks:
            numbers = torch.arange(first, first + len(block), device=self._device).expand(len(queries), -1)
            scores, rows = _top(torch.cat([scores, queries @ block.T], dim=1), torch.cat([rows, numbers], dim=1), width)
            first += len(block)
        return scores.cpu().numpy(), rows.cpu().numpy()


def _top(scores: torch.Tensor, rows: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    best, at = torch.topk(scores, min(width, scores.shape[1]), dim=1)
    return best, rows.gather(1, at)
