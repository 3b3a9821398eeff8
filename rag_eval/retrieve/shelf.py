"""Documents under the numbers that an index knows them by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from rag_eval.parts import Numbers
from rag_eval.retrieve.corpus import refuse_duplicates, refuse_unknown
from rag_eval.types import Document, Retrieved


class Shelf:
    """Documents numbered in order of arrival, from 0. A replaced document keeps its number; no number is given twice."""

    def __init__(self) -> None:
        self._by_number: dict[int, Document] = {}
        self._numbers: dict[str, int] = {}
        self._n_ever = 0

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def is_new(self) -> bool:
        """Whether it never held anything: the next numbers begin at 0."""
        return self._n_ever == 0

    @property
    def documents(self) -> list[Document]:
        """All of them, by number."""
        return list(self._by_number.values())

    @property
    def numbers(self) -> Numbers:
        """Those of `documents`."""
        return np.fromiter(self._by_number, dtype=np.int64, count=len(self._by_number))

    def put(self, documents: Sequence[Document]) -> tuple[Numbers, Numbers]:
        """Add documents, or replace those with known ids.

        Returns:
            The number of each, and those among them that were taken by a document before.

        Raises:
            DataError: if an id comes twice; nothing is added then.
        """
        refuse_duplicates(documents)
        known = [self._numbers[document.id] for document in documents if document.id in self._numbers]
        for document in documents:
            if document.id not in self._numbers:
                self._numbers[document.id] = self._n_ever
                self._n_ever += 1
            self._by_number[self._numbers[document.id]] = document
        given = [self._numbers[document.id] for document in documents]
        return np.array(given, dtype=np.int64), np.array(known, dtype=np.int64)

    def take(self, ids: Sequence[str]) -> Numbers:
        """Forget documents and return their numbers. Raises KeyError on an unknown id, and then forgets none."""
        refuse_unknown(ids, self._numbers)
        gone = [self._numbers.pop(id) for id in dict.fromkeys(ids)]
        for number in gone:
            del self._by_number[number]
        return np.array(gone, dtype=np.int64)

    def hits(self, scores: Sequence[float], numbers: Sequence[int]) -> tuple[Retrieved, ...]:
        """What an index found, best first; the number -1 stands for nothing."""
        found = [(score, number) for score, number in zip(scores, numbers, strict=True) if number >= 0]
        return tuple(Retrieved(self._by_number[number], score, rank) for rank, (score, number) in enumerate(found, start=1))


def documents_sha(documents: Sequence[Document]) -> str:
    """sha256 over id, title and text of documents, in order."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(json.dumps([document.id, document.title, document.text]).encode() + b"\n")
    return digest.hexdigest()
