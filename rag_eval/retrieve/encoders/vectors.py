"""Checks of embeddings. Rows that are zero or not finite would silently be found never or for every question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rag_eval.errors import DataError
from rag_eval.protocols import Vectors

_BLOCK = 65_536  # rows per block, so that memory-mapped vectors are not read into memory at once


def in_memory(shape: tuple[int, int]) -> Vectors:
    """Uninitialised array of a shape."""
    return np.empty(shape, dtype=np.float32)


def refuse_bad_rows(vectors: Vectors, names: Sequence[str]) -> None:
    """Check that rows are finite and not zero.

    Args:
        vectors: float32 (n, dim), in memory or memory-mapped.
        names: name of each row, for the error message.

    Raises:
        DataError: naming up to three invalid rows, or if the number of rows is wrong.
    """
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise DataError(f"expected {len(names)} rows of embeddings, found shape {vectors.shape}. The embedder or its cache is broken.")
    norms = _norms(vectors)
    for fault, is_bad in (("not finite", ~np.isfinite(norms)), ("zero", norms == 0)):
        rows = np.flatnonzero(is_bad)
        if rows.size:
            first = ", ".join(repr(names[row]) for row in rows[:3])
            raise DataError(f"{rows.size} of {len(names)} embeddings are {fault} (first: {first}). Mend or remove these texts.")


def unit_rows(raw: ArrayLike) -> Vectors:
    """Rows normalised to unit length, float32 (n, dim); zero rows stay zero, non-finite rows stay non-finite."""
    vectors: Vectors = np.asarray(raw, dtype=np.float32)
    norms = _norms(vectors)
    return vectors / np.where(norms > 0, norms, 1).astype(np.float32)[:, None]


def _norms(vectors: Vectors) -> NDArray[np.float64]:
    """Norms float64 (n,); in double precision, so that the norm of a finite row does not overflow."""
    blocks = [vectors[at : at + _BLOCK].astype(np.float64) for at in range(0, len(vectors), _BLOCK)]
    return np.concatenate([np.linalg.norm(block, axis=1) for block in blocks]) if blocks else np.empty(0)
