"""Checks on embedding vectors: a zero or non-finite row is never found, or found for everything, without a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from rag_eval.errors import DataError
from rag_eval.parts import Vectors


def refuse_bad_rows(vectors: Vectors, names: Sequence[str]) -> None:
    """Refuse rows that are zero or not finite.

    Args:
        vectors: float32 (n, dim).
        names: what each row embeds, n of them.

    Raises:
        DataError: naming up to three rows, or if there is not one row a name.
    """
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise DataError(f"expected {len(names)} rows of embeddings, found shape {vectors.shape}. The embedder or its cache is broken.")
    norms = np.linalg.norm(vectors, axis=1)
    for fault, is_bad in (("not finite", ~np.isfinite(norms)), ("zero", norms == 0)):
        rows = np.flatnonzero(is_bad)
        if rows.size:
            first = ", ".join(repr(names[row]) for row in rows[:3])
            raise DataError(f"{rows.size} of {len(names)} embeddings are {fault} (first: {first}). Mend or remove these texts.")


def unit_rows(raw: ArrayLike, names: Sequence[str]) -> Vectors:
    """float32 (n, dim) rows of unit length from raw rows of any length. Raises DataError like `refuse_bad_rows`."""
    vectors: Vectors = np.array(raw, dtype=np.float32)
    refuse_bad_rows(vectors, names)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
