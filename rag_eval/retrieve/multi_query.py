"""Rank fusion of searches with several forms of one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import NonNegativeFloat, PositiveInt

from rag_eval.errors import ConfigError
from rag_eval.protocols import Searching
from rag_eval.retrieve.analyzer import Analyzer
from rag_eval.retrieve.fusion import fuse
from rag_eval.retrieve.text_of import question_text
from rag_eval.source import code_sha
from rag_eval.types import Cached, Context, Document, Example, SearchResult


class MultiQuery:
    """Fuses three searches: the question alone, the question with its conversation, and its keywords.

    The rankings are fused with equal weight; see rag_eval.retrieve.fusion. Identical forms are searched again, so each question costs
    three searches.
    """

    context: Context = "retrieved"

    def __init__(
        self,
        retriever: Searching,
        analyzer: Analyzer,
        constant: NonNegativeFloat,
        fused_depth: PositiveInt,
        k: PositiveInt,
        depth: PositiveInt,
    ) -> None:
        """Configure the retriever.

        Args:
            retriever: searches each form of the question, at least `fused_depth` deep.
            analyzer: extracts the keywords.
            constant: added to each rank; 60 in the paper.
            fused_depth: documents of each ranking that are fused.
            k: documents that enter the prompt.
            depth: documents that are kept and scored; k if that is larger.

        Raises:
            ConfigError: if the retriever searches less than `fused_depth` deep.
        """
        if retriever.depth < fused_depth:
            raise ConfigError(
                f"retriever.fused_depth is {fused_depth} but the inner retriever searches {retriever.depth} deep. "
                "Raise retriever.retriever.depth."
            )
        self.k = k
        self.depth = max(k, depth)
        self._retriever = retriever
        self._analyzer = analyzer
        self._constant = constant
        self._fused_depth = fused_depth

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        fusion = {"constant": float(self._constant), "fused_depth": self._fused_depth}
        parts = {"analyzer": dict(self._analyzer.identity()), "inner": dict(self._retriever.identity())}
        return {"retriever": "multi_query", "depth": self.depth, **fusion, **parts, "code": code_sha(__name__)}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids. Returns the inner retriever's cache entry."""
        return self._retriever.add(documents)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id and then removes nothing."""
        self._retriever.remove(ids)

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """At most `depth` documents with the highest fused scores per question; seconds are summed over the three searches."""
        return self._fuse([self._retriever.search(form) for form in self._forms(examples)])

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """Fusion of exact searches; None if the inner retriever is exact."""
        found = [one for form in self._forms(examples) if (one := self._retriever.exactly(form)) is not None]
        return self._fuse(found) if found else None

    def _forms(self, examples: Sequence[Example]) -> list[list[Example]]:
        """Questions without conversation, unchanged, and as keywords (unchanged text if there are none)."""
        alone = [replace(example, history=()) for example in examples]
        words = [" ".join(self._analyzer.keywords(question_text(example))) for example in examples]
        keywords = [replace(one, question=said or one.question) for one, said in zip(alone, words, strict=True)]
        return [alone, list(examples), keywords]

    def _fuse(self, searches: Sequence[Sequence[SearchResult]]) -> list[SearchResult]:
        return fuse(searches, [1.0] * len(searches), self._constant, self._fused_depth, self.depth)
