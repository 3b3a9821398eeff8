"""Dense retrieval: nearest neighbours of the question's embedding."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from pydantic import PositiveInt

from rag_eval.errors import DataError
from rag_eval.protocols import Cache, Embedder, Index, Numbers, Truncating, Vectors
from rag_eval.retrieve.document_store import DocumentStore, documents_sha
from rag_eval.retrieve.encoders.truncation import keep
from rag_eval.retrieve.encoders.vectors import refuse_bad_rows
from rag_eval.retrieve.exclude_itself import n_own, without_itself
from rag_eval.retrieve.similarity import check_index, scores
from rag_eval.retrieve.text_of import question_text
from rag_eval.source import code_sha
from rag_eval.types import Cached, Context, Document, Example, SearchResult

FILE = "vectors.npy"


class Dense:
    """Retriever that ranks documents by the similarity of their embeddings to the question's.

    An index that supports removal is updated in place; any other is cleared and refilled from the stored vectors, without embedding
    again.
    """

    context: Context = "retrieved"

    def __init__(self, embedder: Embedder, index: Index, cache: Cache, k: PositiveInt, depth: PositiveInt) -> None:
        """Configure an empty retriever.

        Args:
            embedder: maps texts to vectors.
            index: empty nearest-neighbour index.
            cache: cache of the vectors of each `add`, and of the first filling of an index that is slow to build.
            k: documents that enter the prompt.
            depth: documents that are retrieved and scored; k if that is larger.
        """
        self.k = k
        self.depth = max(k, depth)
        self._embedder = embedder
        self._index = index
        self._cache = cache
        self._shelf = DocumentStore()
        self._vectors: dict[int, Vectors] = {}  # by document number: (dim,)

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        parts = {"embedder": dict(self._embedder.identity()), "index": dict(self._index.identity())}
        return {"retriever": "dense", "depth": self.depth, **parts, "code": code_sha(__name__)}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids.

        Args:
            documents: documents with distinct ids.

        Returns:
            Cache entries of the embeddings and the index; None without documents.

        Raises:
            ConfigError: if the index does not support the embedder's similarity; nothing is embedded then.
            DataError: if an id is repeated, or an embedding is zero or not finite; nothing is added then.
        """
        if not documents:
            return None
        is_first = self._shelf.is_new
        learned = self._embedder.learn(documents) if is_first else None
        check_index(self._embedder, self._index)
        vectors, kept_in = self._embed(documents)
        numbers, known = self._shelf.put(documents)
        self._vectors |= zip(numbers.tolist(), vectors, strict=True)
        if is_first and self._index.is_kept:
            return Cached.together([learned, kept_in, self._fill_once(numbers, vectors, documents)])
        if known.size and not self._index.can_remove:
            self._refill()
        else:
            if known.size:
                self._index.remove(known)
            self._index.add(numbers, vectors)
        return Cached.together([learned, kept_in])

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id and then removes nothing."""
        gone = self._shelf.take(ids)
        for number in gone.tolist():
            del self._vectors[number]
        if self._index.can_remove:
            self._index.remove(gone)
        else:
            self._refill()

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Rank documents by similarity. All questions are embedded and searched in one batch.

        Args:
            examples: questions.

        Returns:
            `depth` documents per question, or the whole corpus if it is smaller, equal scores in order of insertion. `seconds` is
            an equal share of the batch.

        Raises:
            DataError: if there are no documents, or a question's embedding is zero or not finite.
        """
        if not self._vectors:
            raise DataError("there are no documents to search. Add documents, or use retriever=none.")
        if not examples:
            return []
        start = time.perf_counter()
        queries = self._queries(examples)
        embedded = time.perf_counter()
        found, numbers = self._index.search(queries, self.depth + n_own(examples))
        searched = time.perf_counter()
        seconds = {"embed": (embedded - start) / len(examples), "search": (searched - embedded) / len(examples)}
        hits = [self._shelf.hits(*row) for row in zip(found.tolist(), numbers.tolist(), strict=True)]
        return [SearchResult(without_itself(one, example, self.depth), seconds) for one, example in zip(hits, examples, strict=True)]

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """Results of an exhaustive search; None if the index is exact."""
        if self._index.is_exact:
            return None
        if not examples:
            return []
        rows, numbers = self._rows(), self._shelf.numbers
        found = []
        for query, example in zip(self._queries(examples), examples, strict=True):
            compared = scores(rows, query, self._embedder.similarity)
            best = np.lexsort((numbers, -compared))[: self.depth + n_own([example])]
            found.append(
                SearchResult(without_itself(self._shelf.hits(compared[best].tolist(), numbers[best].tolist()), example, self.depth))
            )
        return found

    def _queries(self, examples: Sequence[Example]) -> Vectors:
        queries = self._embedder.embed_questions([question_text(example) for example in examples])
        refuse_bad_rows(queries, [example.id for example in examples])
        return queries

    def _embed(self, documents: Sequence[Document]) -> tuple[Vectors, Cached]:
        names = [document.id for document in documents]

        def write(folder: Path) -> None:
            vectors = self._embedder.embed_documents(documents, partial(open_memmap, folder / FILE, "w+", np.float32))
            refuse_bad_rows(vectors, names)
            if isinstance(self._embedder, Truncating):
                keep(self._embedder.truncation(documents), folder)

        cached = self._cache.build("embeddings", self._key(documents), write)
        vectors: Vectors = np.asarray(np.load(cached.path / FILE, mmap_mode="r", allow_pickle=False))  # rows of a memmap are memmaps
        refuse_bad_rows(vectors, names)
        return vectors, cached

    def _key(self, documents: Sequence[Document]) -> dict[str, Any]:
        return {"embedder": dict(self._embedder.identity()), "documents": documents_sha(documents), "code": code_sha(__name__)}

    def _fill_once(self, numbers: Numbers, vectors: Vectors, documents: Sequence[Document]) -> Cached:
        """Load the index from the cache, or fill an empty one and cache it."""

        def write(folder: Path) -> None:
            self._index.add(numbers, vectors)
            self._index.save(folder)

        cached = self._cache.build("indexes", {**self._key(documents), "index": dict(self._index.identity())}, write)
        if cached.is_hit:
            self._index.load(cached.path)
        return cached

    def _refill(self) -> None:
        self._index.clear()
        if self._vectors:
            self._index.add(self._shelf.numbers, self._rows())

    def _rows(self) -> Vectors:
        return np.stack([self._vectors[number] for number in self._shelf.numbers.tolist()])
