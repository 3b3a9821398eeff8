"""Hybrid retrieval: rank fusion of several retrievers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from rag_eval.errors import ConfigError
from rag_eval.protocols import Searching
from rag_eval.retrieve.fusion import fuse
from rag_eval.source import code_sha
from rag_eval.types import Cached, Context, Document, Example, SearchResult


class Hybrid:
    """Fuses the rankings of several retrievers by reciprocal rank fusion; see rag_eval.retrieve.fusion."""

    context: Context = "retrieved"

    def __init__(
        self,
        retrievers: Mapping[str, Searching],
        weights: Mapping[str, PositiveFloat],
        constant: NonNegativeFloat,
        fused_depth: PositiveInt,
        k: PositiveInt,
        depth: PositiveInt,
    ) -> None:
        """Configure the fusion.

        Args:
            retrievers: retrievers by name, over the same documents. Ties are resolved in favour of the first.
            weights: weight of a retriever's ranking, by name; default 1.
            constant: added to each rank; 60 in the paper.
            fused_depth: documents of each retriever that are fused; each must search at least this deep.
            k: documents that enter the prompt.
            depth: documents that are kept and scored; k if that is larger.

        Raises:
            ConfigError: if there is no retriever, one searches less than `fused_depth` deep, or a weight has an unknown name.
        """
        _check(retrievers, weights, fused_depth)
        self.k = k
        self.depth = max(k, depth)
        self._retrievers = retrievers
        self._weights = {name: float(weights.get(name, 1.0)) for name in retrievers}
        self._constant = constant
        self._fused_depth = fused_depth

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        fusion = {"weights": self._weights, "constant": float(self._constant), "fused_depth": self._fused_depth}
        parts = {name: dict(retriever.identity()) for name, retriever in self._retrievers.items()}
        return {"retriever": "hybrid", "depth": self.depth, **fusion, "retrievers": parts, "code": code_sha(__name__)}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents to each retriever, or replace those with known ids. Returns their cache entries."""
        kept = [retriever.add(documents) for retriever in self._retrievers.values()]
        return Cached.together(kept)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id and then removes nothing."""
        for retriever in self._retrievers.values():
            retriever.remove(ids)

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """At most `depth` documents with the highest fused scores per question; seconds are summed over all searches."""
        return self._fuse([retriever.search(examples) for retriever in self._retrievers.values()])

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """Fusion of exact searches; None if all retrievers are exact."""
        exact = {name: retriever.exactly(examples) for name, retriever in self._retrievers.items()}
        if all(found is None for found in exact.values()):
            return None
        return self._fuse([self._retrievers[name].search(examples) if found is None else found for name, found in exact.items()])

    def _fuse(self, searches: Sequence[Sequence[SearchResult]]) -> list[SearchResult]:
        return fuse(searches, list(self._weights.values()), self._constant, self._fused_depth, self.depth)


def _check(retrievers: Mapping[str, Searching], weights: Mapping[str, float], fused_depth: int) -> None:
    if not retrievers:
        raise ConfigError("retriever.retrievers is empty; expected the retrievers whose rankings are fused, by name.")
    for name, retriever in retrievers.items():
        if retriever.depth < fused_depth:
            raise ConfigError(
                f"retriever.fused_depth is {fused_depth} but retriever.retrievers.{name} searches {retriever.depth} deep. "
                f"Raise retriever.retrievers.{name}.depth."
            )
    for name in weights:
        if name not in retrievers:
            raise ConfigError(f"retriever.weights.{name} is of no retriever; known: {', '.join(retrievers)}.")
