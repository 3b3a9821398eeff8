"""No retrieval: the context slot of the prompt stays empty."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.parts import Cached, Context
from rag_eval.types import Document, Example, Searched


class NoRetriever:
    """Keeps no document and finds none."""

    context: Context = "none"
    k = 0
    depth = 0

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Nothing, and nothing is kept."""
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Nothing: there is no document to forget."""

    def search(self, examples: Sequence[Example]) -> list[Searched]:
        """No document for any question."""
        return [Searched(())] * len(examples)
