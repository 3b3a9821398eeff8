"""The whole corpus as context: the long-context baseline."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.retrieve.corpus import Corpus, listed
from rag_eval.types import Cached, Context, Document, Example, SearchResult


class FullCorpus:
    """Returns every document for every question, in corpus order. `k` and `depth` are the size of the corpus."""

    context: Context = "corpus"

    def __init__(self) -> None:
        self.k = 0
        self.depth = 0
        self._corpus = Corpus()

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids in place; returns None because nothing is cached."""
        self._corpus.add(documents)
        self.k = self.depth = len(self._corpus)
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id."""
        self._corpus.remove(ids)
        self.k = self.depth = len(self._corpus)

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """All documents for each question. Raises DataError if there are none."""
        return [listed(self._corpus.all())] * len(examples)
