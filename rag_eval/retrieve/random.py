"""Random documents: a control for the effect of the content of passages."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pydantic import NonNegativeInt, PositiveInt

from rag_eval.retrieve.corpus import Corpus, listed
from rag_eval.types import Cached, Context, Document, Example, SearchResult


class RandomPick:
    """Draws k documents per question without replacement, excluding its evidence; fewer if the corpus has fewer."""

    context: Context = "random"

    def __init__(self, k: PositiveInt, seed: NonNegativeInt) -> None:
        """Configure the retriever.

        Args:
            k: documents per question.
            seed: determines the draw together with the question's id.
        """
        self.k = k
        self.depth = k
        self._seed = seed
        self._corpus = Corpus()

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids; returns None because nothing is cached."""
        self._corpus.add(documents)
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id."""
        self._corpus.remove(ids)

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Drawn documents per question. They depend on seed, question id and corpus, not on the other questions."""
        documents = self._corpus.all()
        return [listed(self._draw(example, documents)) for example in examples]

    def _draw(self, example: Example, documents: list[Document]) -> list[Document]:
        # Drawing k plus the number of excluded documents and then excluding them is uniform over the rest.
        holders = example.holders.union(example.grading.itself)
        n = min(len(documents), self.k + len(holders))
        drawn = random.Random(f"{self._seed}/{example.id}").sample(documents, n)
        return [document for document in drawn if document.id not in holders][: self.k]
