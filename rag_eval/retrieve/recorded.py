"""Recorded contexts of another system as a retriever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_eval.replay.answer import Answers
from rag_eval.replay.resolve import Recogniser, resolved
from rag_eval.retrieve.corpus import Corpus, listed
from rag_eval.types import Cached, Context, Document, Example, SearchResult


class Recorded:
    """Returns the contexts recorded for each question, best first; unknown if none were recorded."""

    context: Context = "recorded"

    def __init__(self, answers: Answers) -> None:
        """Configure the retriever.

        Args:
            answers: recorded answers by question id. `k` and `depth` are the size of the longest recorded context.
        """
        self._answers = answers
        self.k = self.depth = max((len(answer.contexts or ()) for answer in answers.values()), default=0)
        self._corpus = Corpus()
        self._recogniser = Recogniser(())

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids, to match recorded contexts by id and text; returns None."""
        self._corpus.add(documents)
        self._recognise()
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id."""
        self._corpus.remove(ids)
        self._recognise()

    def _recognise(self) -> None:
        self._recogniser = Recogniser(self._corpus.all() if len(self._corpus) else ())

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Recorded contexts per question. The order is the recorded rank; scores are 0."""
        asked = {example.id: self._answers[example.id] for example in examples if example.id in self._answers}
        found = resolved(asked, self._recogniser, {id for example in examples for id in example.evidence})
        contexts = [found[example.id].contexts if example.id in found else None for example in examples]
        return [replace(listed(list(those or ())), is_known=those is not None) for those in contexts]
