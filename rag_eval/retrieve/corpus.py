"""Document storage of retrievers that do not search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rag_eval.errors import DataError
from rag_eval.types import Document, Hit, SearchResult


class Corpus:
    """Documents by id, in order of insertion. A replaced document keeps its position."""

    def __init__(self) -> None:
        self._by_id: dict[str, Document] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, documents: Sequence[Document]) -> None:
        """Add documents, or replace those with known ids. Raises DataError if an id is repeated."""
        refuse_duplicates(documents)
        self._by_id |= {document.id: document for document in documents}

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id and then removes nothing."""
        refuse_unknown(ids, self._by_id)
        self._by_id = {id: document for id, document in self._by_id.items() if id not in set(ids)}

    def all(self) -> list[Document]:
        """All documents in order.

        Returns:
            At least one document.

        Raises:
            DataError: if there are none.
        """
        if not self._by_id:
            raise DataError("the corpus has no documents to choose from. Add documents, or use retriever=none.")
        return list(self._by_id.values())

    def evidence(self, question_id: str, ids: Iterable[str]) -> list[Document]:
        """Evidence documents of a question.

        Args:
            question_id: id of the question, for the error message.
            ids: ids of the evidence.

        Returns:
            The documents in the order of `ids`.

        Raises:
            DataError: if one is not in the corpus.
        """
        missing = [id for id in ids if id not in self._by_id]
        if missing:
            raise DataError(f"question {question_id!r}: evidence {missing[0]!r} is not in the corpus. Mend the dataset's evidence ids.")
        return [self._by_id[id] for id in ids]


def refuse_duplicates(documents: Sequence[Document]) -> None:
    """Check that document ids are distinct.

    Args:
        documents: documents.

    Raises:
        DataError: naming up to three repeated ids.
    """
    twice = [id for id, n in Counter(document.id for document in documents).items() if n > 1]
    if twice:
        raise DataError(f"{len(twice)} document ids come twice ({', '.join(map(repr, twice[:3]))}). Give every document its own id.")


def refuse_unknown(ids: Sequence[str], known: Iterable[str]) -> None:
    """Check that ids are known.

    Args:
        ids: ids to check.
        known: known ids.

    Raises:
        KeyError: naming up to three unknown ids.
    """
    unknown = sorted(set(ids).difference(known))
    if unknown:
        raise KeyError(f"{len(unknown)} ids to remove are not in the corpus ({', '.join(map(repr, unknown[:3]))})")


def listed(documents: Sequence[Document]) -> SearchResult:
    """Documents as a search result in the given order, with score 0 because they are not ranked."""
    return SearchResult(tuple(Hit(document, 0.0, rank) for rank, document in enumerate(documents, start=1)))
