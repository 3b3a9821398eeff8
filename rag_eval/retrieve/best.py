"""The best of many scores, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag_eval.parts import Numbers


def best_above_zero(scores: NDArray[np.float32], n: int) -> Numbers:
    """Rows of the n best scores that are above zero, best first, equal scores by row; fewer where fewer are above zero.

    Args:
        scores: float32 (n_rows,), finite.
        n: at least 1.
    """
    rows = np.flatnonzero(scores > 0)
    if rows.size > n:
        worst = np.partition(scores[rows], -n)[-n]
        rows = rows[scores[rows] >= worst]
    order = np.argsort(-scores[rows], kind="stable")
    return rows[order][:n].astype(np.int64)
