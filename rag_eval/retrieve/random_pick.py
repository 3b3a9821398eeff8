"""Random documents: the control that tells whether a passage helps by what it says or by being there."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pydantic import NonNegativeInt, PositiveInt

from rag_eval.parts import Cached, Context
from rag_eval.retrieve.corpus import Corpus, listed
from rag_eval.types import Document, Example, Searched


class RandomPick:
    """Draws k documents a question without replacement, never one of its evidence; fewer when the corpus has fewer."""

    context: Context = "random"

    def __init__(self, k: PositiveInt, seed: NonNegativeInt) -> None:
        """
        Args:
            k: documents a question.
            seed: with the question's id, decides the draw.
        """
        self.k = k
        self.depth = k
        self._seed = seed
        self._corpus = Corpus()

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids; nothing is kept."""
        self._corpus.add(documents)
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Forget documents. Raises KeyError on an unknown id."""
        self._corpus.remove(ids)

    def search(self, examples: Sequence[Example]) -> list[Searched]:
        """The draw of each question. It depends on the seed, the question's id and the corpus, not on the other questions."""
        documents = self._corpus.all()
        return [listed(self._draw(example, documents)) for example in examples]

    def _draw(self, example: Example, documents: list[Document]) -> list[Document]:
        # Drawing as many more as there is evidence, then leaving that out, is as uniform as drawing from the rest.
        holders = example.holders.union(example.grading.itself)
        n = min(len(documents), self.k + len(holders))
        drawn = random.Random(f"{self._seed}/{example.id}").sample(documents, n)
        return [document for document in drawn if document.id not in holders][: self.k]
