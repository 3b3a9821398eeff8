"""No retrieval: the context slot of the prompt stays empty."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.parts import Context
from rag_eval.types import Document, Example, Searched


class NoRetriever:
    """Keeps no document and finds none."""

    context: Context = "none"
    k = 0
    depth = 0

    def add(self, documents: Sequence[Document]) -> bool:
        """Nothing; nothing came from a cache."""
        return False

    def remove(self, ids: Sequence[str]) -> None:
        """Nothing: there is no document to forget."""

    def search(self, examples: Sequence[Example]) -> list[Searched]:
        """No document for any question."""
        return [Searched(())] * len(examples)
