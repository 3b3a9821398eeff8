"""Checks on embedding vectors: a zero or non-finite row is never found, or found for everything, without a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rag_eval.errors import DataError
from rag_eval.parts import Vectors

_BLOCK = 65_536  # rows looked at together: vectors in a file are never read into memory as a whole


def in_memory(shape: tuple[int, int]) -> Vectors:
    """An array of this shape to be filled."""
    return np.empty(shape, dtype=np.float32)


def refuse_bad_rows(vectors: Vectors, names: Sequence[str]) -> None:
    """Refuse rows that are zero or not finite.

    Args:
        vectors: float32 (n, dim), in memory or in a file.
        names: what each row embeds, n of them.

    Raises:
        DataError: naming up to three rows, or if there is not one row a name.
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
    """float32 (n, dim) rows of unit length from raw rows; a zero row stays zero, and one that is not finite is not mended."""
    vectors: Vectors = np.asarray(raw, dtype=np.float32)
    norms = _norms(vectors)
    return vectors / np.where(norms > 0, norms, 1).astype(np.float32)[:, None]


def _norms(vectors: Vectors) -> NDArray[np.float64]:
    """(n,); in double precision, so that no finite row has an infinite one."""
    blocks = [vectors[at : at + _BLOCK].astype(np.float64) for at in range(0, len(vectors), _BLOCK)]
    return np.concatenate([np.linalg.norm(block, axis=1) for block in blocks]) if blocks else np.empty(0)
