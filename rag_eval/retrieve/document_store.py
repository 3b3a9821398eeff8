"""Mapping between documents and the integer ids of an index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from rag_eval.protocols import Numbers
from rag_eval.retrieve.corpus import refuse_duplicates, refuse_unknown
from rag_eval.types import Document, Hit


class DocumentStore:
    """Documents numbered in order of insertion, from 0. A replaced document keeps its number; numbers are not reused."""

    def __init__(self) -> None:
        self._by_number: dict[int, Document] = {}
        self._numbers: dict[str, int] = {}
        self._n_ever = 0

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def is_new(self) -> bool:
        """Whether no document was ever added."""
        return self._n_ever == 0

    @property
    def documents(self) -> list[Document]:
        """All documents, in order of insertion."""
        return list(self._by_number.values())

    @property
    def numbers(self) -> Numbers:
        """Numbers of `documents`."""
        return np.fromiter(self._by_number, dtype=np.int64, count=len(self._by_number))

    def put(self, documents: Sequence[Document]) -> tuple[Numbers, Numbers]:
        """Add documents, or replace those with known ids.

        Args:
            documents: documents with distinct ids.

        Returns:
            The number of each document, and the numbers among them that were in use before.

        Raises:
            DataError: if an id is repeated; nothing is added then.
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
        """Remove documents and return their numbers. Raises KeyError for an unknown id and then removes nothing."""
        refuse_unknown(ids, self._numbers)
        gone = [self._numbers.pop(id) for id in dict.fromkeys(ids)]
        for number in gone:
            del self._by_number[number]
        return np.array(gone, dtype=np.int64)

    def hits(self, scores: Sequence[float], numbers: Sequence[int]) -> tuple[Hit, ...]:
        """Search results of an index, best first; the number -1 is skipped."""
        found = [(score, number) for score, number in zip(scores, numbers, strict=True) if number >= 0]
        return tuple(Hit(self._by_number[number], score, rank) for rank, (score, number) in enumerate(found, start=1))


def documents_sha(documents: Sequence[Document]) -> str:
    """SHA-256 over id, title and text of documents, in order."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(json.dumps([document.id, document.title, document.text]).encode() + b"\n")
    return digest.hexdigest()
