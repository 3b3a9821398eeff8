"""Diversity reranking by maximal marginal relevance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rag_eval.protocols import Embedder, Vectors
from rag_eval.retrieve.encoders.vectors import refuse_bad_rows
from rag_eval.retrieve.similarity import cosines, relevance
from rag_eval.source import code_sha
from rag_eval.types import Document


class MaximalMarginalRelevance:
    """Orders candidates by relevance minus similarity to those already selected (Carbonell and Goldstein 1998).

    Similarity between candidates is the cosine of embeddings. Relevance is the embedder's similarity to the question, scaled to
    [-1, 1] by the longest vector if it is not the cosine. Candidate embeddings are stored, so each document is embedded once.
    """

    def __init__(self, embedder: Embedder, relevance_share: Annotated[float, Field(ge=0, le=1)]) -> None:
        """Configure the reranker.

        Args:
            embedder: maps texts to vectors.
            relevance_share: lambda of the paper: 1 = relevance only, 0 = diversity only after the first.
        """
        self._embedder = embedder
        self._share = float(relevance_share)
        self._vectors: dict[tuple[str, str, str], Vectors] = {}  # by id, title and text: (dim,)

    def learn(self, documents: Sequence[Document]) -> None:
        """Fit the embedder to the first documents."""
        self._embedder.learn(documents)

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the scores."""
        parts = {"relevance_share": self._share, "embedder": dict(self._embedder.identity())}
        return {"reranker": "maximal marginal relevance", **parts, "code": code_sha(__name__)}

    def score(self, questions: Sequence[str], candidates: Sequence[Sequence[Document]]) -> list[NDArray[np.float32]]:
        """Score candidates.

        Args:
            questions: n questions.
            candidates: documents for each question.

        Returns:
            For each question float32 (n_candidates,): marginal relevance of each candidate when it was selected, non-increasing in
            the order of selection.

        Raises:
            DataError: if an embedding is zero or not finite.
        """
        if not questions:
            return []
        queries = self._embedder.embed_questions(questions)
        refuse_bad_rows(queries, questions)
        self._embed([document for those in candidates for document in those])
        return [self._marginal(query, those) for query, those in zip(queries, candidates, strict=True)]

    def _marginal(self, query: Vectors, documents: Sequence[Document]) -> NDArray[np.float32]:
        if not documents:
            return np.zeros(0, dtype=np.float32)
        vectors = np.stack([self._vectors[_key(document)] for document in documents])
        return mmr(relevance(vectors, query, self._embedder.similarity), cosines(vectors), self._share)

    def _embed(self, documents: Sequence[Document]) -> None:
        new = list({_key(document): document for document in documents if _key(document) not in self._vectors}.values())
        if new:
            vectors = self._embedder.embed_documents(new, lambda shape: np.empty(shape, dtype=np.float32))
            refuse_bad_rows(vectors, [document.id for document in new])
            self._vectors |= zip(map(_key, new), vectors, strict=True)


def mmr(relevance: NDArray[np.float32], resemblance: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Marginal relevance of each candidate in greedy selection.

    Args:
        relevance: float32 (n,), relevance of each candidate to the question.
        resemblance: float32 (n, n), similarity between candidates. Negative values count as 0, so that a candidate opposite to
            the selected ones gains nothing.
        share: weight of relevance, in [0, 1]; the similarity has weight 1 - share.

    Returns:
        float32 (n,) in the given order. Sorting them in descending order gives the order of selection.
    """
    added = np.full(len(relevance), -np.inf, dtype=np.float32)
    nearest = np.zeros(len(relevance), dtype=np.float32)  # similarity to the most similar selected candidate
    left = np.ones(len(relevance), dtype=bool)
    for _ in range(len(relevance)):
        worth = np.float32(share) * relevance - np.float32(1 - share) * nearest
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        added[best] = worth[best]
        left[best] = False
        nearest = np.maximum(nearest, resemblance[best])
    return added


def _key(document: Document) -> tuple[str, str, str]:
    return document.id, document.title, document.text
