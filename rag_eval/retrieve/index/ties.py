"""One rule for equal scores: the lowest row comes first, also at the cut-off, whatever order a library returns them in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Hits = tuple[NDArray[np.float32], NDArray[np.int64]]  # scores and row numbers, both (n_queries, width)

MARGIN = 16  # how far behind the cut-off to look for a tie at first


def search_with_ties(search: Callable[[int], Hits], k: int, n_rows: int) -> Hits:
    """The best k rows of each query, best score first, equal scores by row number.

    A tie can run across the cut-off, and then a library's choice among the equals is arbitrary. So more than k are
    fetched, doubling until the last score fetched is below the k-th of every query or every row was fetched.

    Args:
        search: for a width, the best `width` scores in descending order with their rows; the choice among equals is free.
        k: how many to return, at least 1; all rows when there are fewer.
        n_rows: rows in the index, at least 1.

    Raises:
        ValueError: if a score is not finite or a row is missing, which a query or row that is not finite leads to.
    """
    k = min(k, n_rows)
    width = min(n_rows, k + MARGIN)
    scores, rows = search(width)
    while width < n_rows and bool((scores[:, k - 1] == scores[:, -1]).any()):
        width = min(n_rows, 2 * width)
        scores, rows = search(width)
    if not np.isfinite(scores).all() or bool((rows < 0).any()):
        raise ValueError("expected finite queries and rows, found a score that is not finite or a row that is missing")
    order = np.lexsort((rows, -scores), axis=-1)[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def in_order(scores: NDArray[np.float32], numbers: NDArray[np.int64]) -> Hits:
    """What an approximate search found, best first, equal scores by number; what is missing (-1) last, with a score of -inf."""
    scores = np.where(numbers < 0, -np.inf, scores).astype(np.float32)
    order = np.lexsort((numbers, -scores), axis=-1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(numbers, order, axis=1)
