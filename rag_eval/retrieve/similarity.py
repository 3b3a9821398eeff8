"""Similarity functions of embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag_eval.errors import ConfigError
from rag_eval.protocols import Embedder, Index, Similarity, Vectors
from rag_eval.retrieve.encoders.vectors import unit_rows


def check_index(embedder: Embedder, index: Index) -> None:
    """Check that an index ranks by the embedder's similarity.

    Args:
        embedder: the embedder.
        index: the index.

    Raises:
        ConfigError: naming both similarities, and a suitable index.
    """
    if embedder.similarity not in index.similarities:
        known = ", ".join(sorted(index.similarities))
        other = "l2" if embedder.similarity == "euclidean" else "flat"
        raise ConfigError(
            f"the embedder's vectors are made for {embedder.similarity} similarity, but this index ranks by {known} alone. "
            f"Use retriever/index={other}."
        )


def scores(rows: Vectors, query: Vectors, similarity: Similarity) -> NDArray[np.float32]:
    """Scores float32 (n,) as an index computes them.

    Args:
        rows: float32 (n, dim).
        query: float32 (dim,).
        similarity: "euclidean" gives negative squared distances, others inner products.

    Returns:
        float32 (n,), higher is better.
    """
    found = -np.square(rows - query).sum(axis=1) if similarity == "euclidean" else rows @ query
    return np.asarray(found, dtype=np.float32)


def relevance(rows: Vectors, query: Vectors, similarity: Similarity) -> NDArray[np.float32]:
    """Scores scaled to [-1, 1], in the same order; equal to the cosine if all vectors have unit length.

    Args:
        rows: float32 (n, dim), candidates of one question, at least one.
        query: float32 (dim,).
        similarity: similarity of the embedder.

    Returns:
        float32 (n,).
    """
    if similarity == "cosine":
        return scores(rows, query, similarity)
    longest, length = float(np.linalg.norm(rows, axis=1).max()), float(np.linalg.norm(query))
    if similarity == "dot":
        return scores(rows, query, similarity) / np.float32(longest * length)
    return 1 + scores(rows, query, similarity) / np.float32(2 * max(longest, length) ** 2)


def cosines(rows: Vectors) -> NDArray[np.float32]:
    """Cosine similarity float32 (n, n) of all pairs of rows."""
    unit = unit_rows(rows)
    return np.asarray(unit @ unit.T, dtype=np.float32)
