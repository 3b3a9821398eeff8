"""Two-stage retrieval: a retriever selects candidates, a reranker scores them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from rag_eval.errors import ConfigError, DataError
from rag_eval.protocols import Reranker, Searching
from rag_eval.retrieve.text_of import question_text
from rag_eval.source import code_sha
from rag_eval.types import Cached, Context, Document, Example, Hit, SearchResult


class TwoStage:
    """Orders the hits of an inner retriever by a reranker's scores.

    Candidates below `rerank_depth` are dropped, because their scores are not comparable with the reranker's.
    """

    context: Context = "retrieved"

    def __init__(self, retriever: Searching, reranker: Reranker, rerank_depth: PositiveInt, k: PositiveInt, depth: PositiveInt) -> None:
        """Configure the two stages.

        Args:
            retriever: selects the candidates, at least `rerank_depth` deep.
            reranker: scores the candidates.
            rerank_depth: candidates per question that are reranked, at least `k` and `depth`.
            k: documents that enter the prompt.
            depth: documents that are kept and scored; k if that is larger.

        Raises:
            ConfigError: if the retriever searches less than `rerank_depth` deep, or `rerank_depth` is less than `k` or `depth`.
        """
        if retriever.depth < rerank_depth:
            raise ConfigError(
                f"retriever.rerank_depth is {rerank_depth} but the inner retriever searches {retriever.depth} deep. "
                "Raise retriever.retriever.depth."
            )
        if rerank_depth < max(k, depth):
            raise ConfigError(f"retriever.rerank_depth is {rerank_depth}, less than the {max(k, depth)} documents that are kept. Raise it.")
        self.k = k
        self.depth = max(k, depth)
        self._retriever = retriever
        self._reranker = reranker
        self._rerank_depth = rerank_depth
        self._has_learned = False

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        parts = {"inner": dict(self._retriever.identity()), "reranker": dict(self._reranker.identity())}
        return {"retriever": "reranked", "depth": self.depth, "rerank_depth": self._rerank_depth, **parts, "code": code_sha(__name__)}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids. Returns the inner retriever's cache entry."""
        if documents and not self._has_learned:
            self._reranker.learn(documents)
            self._has_learned = True
        return self._retriever.add(documents)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id and then removes nothing."""
        self._retriever.remove(ids)

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Rerank the candidates of all questions in one batch.

        Args:
            examples: questions.

        Returns:
            At most `depth` documents per question, best first, equal scores in the inner retriever's order. `seconds["rerank"]` is
            an equal share of the batch.

        Raises:
            DataError: if a score is not finite.
        """
        return self._rerank(examples, self._retriever.search(examples))

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """Reranked candidates of an exact search; None if the inner retriever is exact."""
        found = self._retriever.exactly(examples)
        return found and self._rerank(examples, found)

    def _rerank(self, examples: Sequence[Example], found: Sequence[SearchResult]) -> list[SearchResult]:
        start = time.perf_counter()
        candidates = [[hit.document for hit in one.hits[: self._rerank_depth]] for one in found]
        scores = self._reranker.score([question_text(example) for example in examples], candidates)
        hits = [self._ordered(*one) for one in zip(examples, candidates, scores, strict=True)]
        share = (time.perf_counter() - start) / max(1, len(examples))
        return [SearchResult(best, {**one.seconds, "rerank": share}) for best, one in zip(hits, found, strict=True)]

    def _ordered(self, example: Example, documents: Sequence[Document], scores: NDArray[np.float32]) -> tuple[Hit, ...]:
        if scores.shape != (len(documents),) or not np.isfinite(scores).all():
            raise DataError(f"question {example.id!r}: expected {len(documents)} finite scores of the reranker, found {scores.tolist()}.")
        best = np.argsort(-scores, kind="stable")[: self.depth].tolist()
        return tuple(Hit(documents[at], float(scores[at]), rank) for rank, at in enumerate(best, start=1))
