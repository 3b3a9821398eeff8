"""Dense retrieval: documents and questions as vectors, the nearest documents win."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import PositiveInt

from rag_eval.errors import DataError
from rag_eval.parts import Cache, Cached, Context, Embedder, Index, Vectors
from rag_eval.retrieve.corpus import refuse_duplicates, refuse_unknown
from rag_eval.retrieve.searchable import question_text
from rag_eval.retrieve.vectors import refuse_bad_rows
from rag_eval.source import source_sha
from rag_eval.types import Document, Example, Retrieved, Searched

_FILE = "vectors.npy"


class Dense:
    """Finds the documents whose embeddings are nearest to the question's.

    The vectors are kept beside the index, so that a document is replaced or removed by building the index again from
    them: the cost is a copy of every vector and no embedding. Adding only new documents appends.
    """

    context: Context = "retrieved"

    def __init__(self, embedder: Embedder, index: Index, cache: Cache, k: PositiveInt, depth: PositiveInt) -> None:
        """
        Args:
            embedder: texts to vectors.
            index: nearest vectors; empty.
            cache: keeps the vectors of each `add` from run to run.
            k: documents that enter the prompt.
            depth: documents that are searched and scored; k when that is more.
        """
        self.k = k
        self.depth = max(k, depth)
        self._embedder = embedder
        self._cache = cache
        self._empty = copy.deepcopy(index)
        self._index = index
        self._documents: list[Document] = []  # by row
        self._rows: dict[str, int] = {}
        self._vectors: Vectors = np.zeros((0, 0), dtype=np.float32)

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids in their rows. Returns where the embeddings are kept.

        Raises:
            DataError: if an id comes twice or an embedding is zero or not finite; nothing is added then.
        """
        if not documents:
            return None
        refuse_duplicates(documents)
        vectors, kept_in = self._embed(documents)
        is_known = np.array([document.id in self._rows for document in documents])
        for at in np.flatnonzero(is_known).tolist():
            row = self._rows[documents[at].id]
            self._documents[row], self._vectors[row] = documents[at], vectors[at]
        new = [document for document in documents if document.id not in self._rows]
        added = vectors[~is_known]
        kept = np.concatenate([self._vectors, added]) if self._documents else added
        self._keep([*self._documents, *new], kept)
        if is_known.any():
            self._rebuild()
        else:
            self._index.add(added)
        return kept_in

    def remove(self, ids: Sequence[str]) -> None:
        """Forget documents. Raises KeyError on an unknown id, and then forgets none."""
        refuse_unknown(ids, self._rows)
        gone = set(ids)
        rows = [row for row, document in enumerate(self._documents) if document.id not in gone]
        self._keep([self._documents[row] for row in rows], self._vectors[rows])
        self._rebuild()

    def search(self, examples: Sequence[Example]) -> list[Searched]:
        """For each question its nearest documents, `depth` of them or the whole corpus, equal scores in the order of arrival.

        All questions are embedded and searched in one batch; `seconds` holds each one's equal share of it.

        Raises:
            DataError: if there are no documents, or a question's embedding is zero or not finite.
        """
        if not self._documents:
            raise DataError("there are no documents to search. Add documents, or use retriever=none.")
        if not examples:
            return []
        start = time.perf_counter()
        queries = self._embedder.embed_questions([question_text(example) for example in examples])
        refuse_bad_rows(queries, [example.id for example in examples])
        embedded = time.perf_counter()
        scores, rows = self._index.search(queries, self.depth)
        searched = time.perf_counter()
        seconds = {"embed": (embedded - start) / len(examples), "search": (searched - embedded) / len(examples)}
        return [Searched(self._hits(scores[at].tolist(), rows[at].tolist()), seconds) for at in range(len(examples))]

    def _embed(self, documents: Sequence[Document]) -> tuple[Vectors, Cached]:
        names = [document.id for document in documents]

        def write(folder: Path) -> None:
            vectors = self._embedder.embed_documents(documents)
            refuse_bad_rows(vectors, names)
            np.save(folder / _FILE, vectors, allow_pickle=False)

        key = {"embedder": dict(self._embedder.identity()), "documents": _sha256(documents), "code": source_sha("retrieve")}
        cached = self._cache.build("embeddings", key, write)
        vectors: Vectors = np.load(cached.path / _FILE, allow_pickle=False)
        refuse_bad_rows(vectors, names)
        return vectors, cached

    def _keep(self, documents: list[Document], vectors: Vectors) -> None:
        self._documents, self._vectors = documents, vectors
        self._rows = {document.id: row for row, document in enumerate(documents)}

    def _rebuild(self) -> None:
        self._index = copy.deepcopy(self._empty)
        if self._documents:
            self._index.add(self._vectors)

    def _hits(self, scores: list[float], rows: list[int]) -> tuple[Retrieved, ...]:
        if min(rows) < 0:
            raise ValueError(f"the index returned row {min(rows)}, which would be read as the last document")
        return tuple(Retrieved(self._documents[row], scores[at], at + 1) for at, row in enumerate(rows))


def _sha256(documents: Sequence[Document]) -> str:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(json.dumps([document.id, document.title, document.text]).encode() + b"\n")
    return digest.hexdigest()
