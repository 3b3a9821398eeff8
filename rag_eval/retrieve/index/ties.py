"""Deterministic order of equal scores: lowest row first, also at the cut-off, independent of the library."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Hits = tuple[NDArray[np.float32], NDArray[np.int64]]  # scores and row numbers, both (n_queries, width)

MARGIN = 16  # number of additional rows of the first search


def search_with_ties(search: Callable[[int], Hits], k: int, n_rows: int) -> Hits:
    """The best k rows of each query, best score first, equal scores by row number.

    If scores tie at the cut-off, a library's choice is arbitrary. More than k rows are therefore fetched, doubling until the last
    fetched score is below the k-th for every query or all rows are fetched.

    Args:
        search: function of a width that returns the best `width` scores in descending order with their rows; ties in any order.
        k: number of rows to return, at least 1; all rows if there are fewer.
        n_rows: rows in the index, at least 1.

    Returns:
        Scores and row numbers, both (n_queries, min(k, n_rows)).

    Raises:
        ValueError: if a score is not finite or a row is missing, which results from non-finite queries or rows.
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
    """Results of an approximate search, best first, equal scores by number; missing ones (-1) last with score -inf."""
    scores = np.where(numbers < 0, -np.inf, scores).astype(np.float32)
    order = np.lexsort((numbers, -scores), axis=-1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(numbers, order, axis=1)
