"""Documents by id, in the order in which they came: what retrievers that do not search keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rag_eval.errors import DataError
from rag_eval.types import Document, Retrieved, Searched


class Corpus:
    """Documents by id. A replaced document keeps its place."""

    def __init__(self) -> None:
        self._by_id: dict[str, Document] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, documents: Sequence[Document]) -> None:
        """Add documents, or replace those with known ids. Raises DataError on an id that comes twice."""
        refuse_duplicates(documents)
        self._by_id |= {document.id: document for document in documents}

    def remove(self, ids: Sequence[str]) -> None:
        """Forget documents. Raises KeyError on an unknown id, and then forgets none."""
        refuse_unknown(ids, self._by_id)
        self._by_id = {id: document for id, document in self._by_id.items() if id not in set(ids)}

    def all(self) -> list[Document]:
        """Every document in order. Raises DataError when there is none."""
        if not self._by_id:
            raise DataError("the corpus has no documents to choose from. Add documents, or use retriever=none.")
        return list(self._by_id.values())

    def evidence(self, question_id: str, ids: Iterable[str]) -> list[Document]:
        """The documents that hold a question's answer, in the order of `ids`. Raises DataError if one is not in the corpus."""
        missing = [id for id in ids if id not in self._by_id]
        if missing:
            raise DataError(f"question {question_id!r}: evidence {missing[0]!r} is not in the corpus. Mend the dataset's evidence ids.")
        return [self._by_id[id] for id in ids]


def refuse_duplicates(documents: Sequence[Document]) -> None:
    """Raises DataError, naming up to three ids, when an id comes twice."""
    twice = [id for id, n in Counter(document.id for document in documents).items() if n > 1]
    if twice:
        raise DataError(f"{len(twice)} document ids come twice ({', '.join(map(repr, twice[:3]))}). Give every document its own id.")


def refuse_unknown(ids: Sequence[str], known: Iterable[str]) -> None:
    """Raises KeyError, naming up to three ids, when one is not known."""
    unknown = sorted(set(ids).difference(known))
    if unknown:
        raise KeyError(f"{len(unknown)} ids to remove are not in the corpus ({', '.join(map(repr, unknown[:3]))})")


def listed(documents: Sequence[Document]) -> Searched:
    """Documents as a result in the given order. Every score is 0: nothing was searched, so the order is no ranking."""
    return Searched(tuple(Retrieved(document, 0.0, rank) for rank, document in enumerate(documents, start=1)))
