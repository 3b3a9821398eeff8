"""The passages that another system had in its prompt, as they were recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from rag_eval.parts import Cached, Context
from rag_eval.recorded.answer import Answers
from rag_eval.retrieve.corpus import listed
from rag_eval.types import Document, Example, Searched


class Recorded:
    """Finds for each question the contexts that were recorded for it, best first; none where none were.

    A context that is known by its text alone takes the id of the document with the same text, so that evidence is
    recognised.
    """

    context: Context = "recorded"

    def __init__(self, answers: Answers) -> None:
        """
        Args:
            answers: by question id. `k` and `depth` are the size of the longest recorded context.
        """
        self._contexts = {id: answer.contexts or () for id, answer in answers.items()}
        self.k = self.depth = max((len(found) for found in self._contexts.values()), default=0)
        self._by_id: dict[str, Document] = {}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Know documents by id and by text; nothing is kept."""
        self._by_id |= {document.id: document for document in documents}
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Forget documents. Raises KeyError on an unknown id."""
        for id in ids:
            del self._by_id[id]

    def search(self, examples: Sequence[Example]) -> list[Searched]:
        """The recorded contexts of each question. The order is the recorded rank; there are no scores."""
        ids = {_digest(document.text): id for id, document in self._by_id.items()}
        return [listed([self._known(one, ids) for one in self._contexts.get(example.id, ())]) for example in examples]

    def _known(self, context: Document, ids: Mapping[str, str]) -> Document:
        if not context.text:
            return self._by_id.get(context.id, context)
        return self._by_id.get(ids.get(_digest(context.text), context.id), context)


def _digest(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
