"""Oracle retrievers: the evidence alone or among hard distractors, as upper bounds of retrieval."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pydantic import NonNegativeInt, PositiveInt

from rag_eval.errors import ConfigError, DataError
from rag_eval.protocols import Retriever
from rag_eval.retrieve.corpus import Corpus, listed
from rag_eval.types import Cached, Context, Document, Example, SearchResult


class Oracle:
    """Returns the first k evidence documents of a question, in the order of its evidence; none for an unanswerable question."""

    context: Context = "gold"

    def __init__(self, k: PositiveInt) -> None:
        self.k = k
        self.depth = k
        self._corpus = Corpus()

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids; returns None because nothing is cached."""
        self._corpus.add(documents)
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id."""
        self._corpus.remove(ids)

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Evidence per question. Raises DataError if the evidence of an answerable question is unknown or not in the corpus."""
        return [listed(self.gold(example)) for example in examples]

    def gold(self, example: Example) -> list[Document]:
        """At most k evidence documents of one question.

        Args:
            example: the question.

        Returns:
            Documents in the order of the evidence.

        Raises:
            DataError: if the evidence of an answerable question is unknown or not in the corpus.
        """
        if example.is_answerable and not example.evidence:
            raise DataError(f"question {example.id!r}: its evidence is not known. The oracle needs a dataset with evidence ids.")
        return self._corpus.evidence(example.id, example.evidence)[: self.k]


class OracleDistract:
    """Returns the evidence together with the best-ranked other documents of a retriever, k in all, in random order."""

    context: Context = "gold among distractors"

    def __init__(self, retriever: Retriever, k: PositiveInt, seed: NonNegativeInt) -> None:
        """Configure the retriever.

        Args:
            retriever: ranks the distractors, at least k deep.
            k: documents per question; an unanswerable question gets k distractors.
            seed: determines the order together with the question's id.

        Raises:
            ConfigError: if the retriever searches less than k deep.
        """
        if max(retriever.k, retriever.depth) < k:
            raise ConfigError(
                f"retriever.k is {k} but the inner retriever searches {retriever.depth} deep. Raise retriever.retriever.depth."
            )
        self.k = k
        self.depth = k
        self._retriever = retriever
        self._seed = seed
        self._oracle = Oracle(k)

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids. Returns the inner retriever's cache entry."""
        kept = self._retriever.add(documents)
        self._oracle.add(documents)
        return kept

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id."""
        self._oracle.remove(ids)
        self._retriever.remove(ids)

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Evidence and distractors, shuffled. Scores are 0 because the order is no ranking; seconds are the inner retriever's."""
        return [self._mix(example, found) for example, found in zip(examples, self._retriever.search(examples), strict=True)]

    def _mix(self, example: Example, found: SearchResult) -> SearchResult:
        gold = self._oracle.gold(example)
        holders = example.holders
        distractors = [hit.document for hit in found.hits if hit.document.id not in holders]
        mixed = [*gold, *distractors][: self.k]
        random.Random(f"{self._seed}/{example.id}").shuffle(mixed)
        return SearchResult(listed(mixed).hits, found.seconds)
