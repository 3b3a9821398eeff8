"""Exact selection of the best scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag_eval.protocols import Numbers


def top_k_positive(scores: NDArray[np.float32], n: int) -> Numbers:
    """Indices of the n highest scores above zero, best first, equal scores by index.

    Args:
        scores: float32 (n_rows,), finite.
        n: number of indices, at least 1.

    Returns:
        int64 (at most n,); fewer if fewer scores are above zero.
    """
    rows = np.flatnonzero(scores > 0)
    if rows.size > n:
        worst = np.partition(scores[rows], -n)[-n]
        rows = rows[scores[rows] >= worst]
    order = np.argsort(-scores[rows], kind="stable")
    return rows[order][:n].astype(np.int64)
