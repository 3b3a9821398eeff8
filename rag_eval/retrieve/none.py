"""Null retriever: no context in the prompt."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.types import Cached, Context, Document, Example, SearchResult


class NoRetriever:
    """Stores and returns no documents."""

    context: Context = "none"
    k = 0
    depth = 0

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """No effect; returns None."""
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """No effect."""

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Empty result for every question."""
        return [SearchResult(())] * len(examples)
