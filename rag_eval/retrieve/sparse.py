"""Learned sparse retrieval: inner products of term weights predicted by a model."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import PositiveInt
from scipy.sparse import csr_array, load_npz, save_npz, vstack

from rag_eval.errors import DataError
from rag_eval.protocols import Cache, Numbers
from rag_eval.retrieve.document_store import DocumentStore, documents_sha
from rag_eval.retrieve.encoders.splade import SparseTextEncoder
from rag_eval.retrieve.exclude_itself import n_own, without_itself
from rag_eval.retrieve.text_of import question_text
from rag_eval.retrieve.top_k import top_k_positive
from rag_eval.source import code_sha
from rag_eval.types import Cached, Context, Document, Example, Hit, SearchResult

log = logging.getLogger(__name__)

FILE = "vectors.npz"


class SparseRetriever:
    """Retriever that ranks documents by the inner product of term weights (SPLADE, Formal et al. 2021).

    The search is exact over all documents that share a weighted term with the question; others are not returned.
    """

    context: Context = "retrieved"

    def __init__(self, encoder: SparseTextEncoder, cache: Cache, k: PositiveInt, depth: PositiveInt) -> None:
        """Configure an empty retriever.

        Args:
            encoder: maps texts to term weights.
            cache: cache of the weights of each `add` between runs.
            k: documents that enter the prompt.
            depth: documents that are retrieved and scored; k if that is larger.
        """
        self.k = k
        self.depth = max(k, depth)
        self._encoder = encoder
        self._cache = cache
        self._shelf = DocumentStore()
        self._numbers: Numbers = np.zeros(0, dtype=np.int64)  # document numbers, ascending
        self._vectors: csr_array | None = None  # float32 (n_documents, vocabulary), in the order of `_numbers`

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        return {"retriever": "sparse", "depth": self.depth, "encoder": dict(self._encoder.identity()), "code": code_sha(__name__)}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids.

        Args:
            documents: documents with distinct ids.

        Returns:
            Cache entry of the weights; None without documents.

        Raises:
            DataError: if an id is repeated or a weight is not finite; nothing is added then.
        """
        if not documents:
            return None
        vectors, kept_in = self._encode(documents)
        numbers, _ = self._shelf.put(documents)
        stays = np.flatnonzero(~np.isin(self._numbers, numbers))
        joined = vectors if self._vectors is None else vstack([self._vectors[stays], vectors], format="csr")
        every = np.concatenate([self._numbers[stays], numbers])
        order = np.argsort(every)
        self._numbers, self._vectors = every[order], joined[order]
        return kept_in

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id and then removes nothing."""
        stays = np.flatnonzero(~np.isin(self._numbers, self._shelf.take(ids)))
        if self._vectors is not None:
            self._numbers, self._vectors = self._numbers[stays], self._vectors[stays]

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Rank documents by inner product. All questions are encoded and searched in one batch.

        Args:
            examples: questions.

        Returns:
            At most `depth` documents with a score above 0 per question, equal scores in order of insertion. `seconds` is an equal
            share of the batch.

        Raises:
            DataError: if there are no documents, or a question's weight is not finite.
        """
        if self._vectors is None or not self._numbers.size:
            raise DataError("there are no documents to search. Add documents, or use retriever=none.")
        if not examples:
            return []
        start = time.perf_counter()
        queries = self._encoder.encode_questions([question_text(example) for example in examples])
        _refuse_bad_weights(queries, [example.id for example in examples])
        encoded = time.perf_counter()
        products = csr_array(queries @ self._vectors.T)
        products.sort_indices()
        hits = [self._best(products, row, example) for row, example in enumerate(examples)]
        searched = time.perf_counter()
        seconds = {"embed": (encoded - start) / len(examples), "search": (searched - encoded) / len(examples)}
        return [SearchResult(one, seconds) for one in hits]

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """None, because `search` is exact."""
        return None

    def _best(self, products: csr_array, row: int, example: Example) -> tuple[Hit, ...]:
        places = slice(products.indptr[row], products.indptr[row + 1])
        scores, numbers = products.data[places], self._numbers[products.indices[places]]
        best = top_k_positive(scores, self.depth + n_own([example]))
        return without_itself(self._shelf.hits(scores[best].tolist(), numbers[best].tolist()), example, self.depth)

    def _encode(self, documents: Sequence[Document]) -> tuple[csr_array, Cached]:
        names = [document.id for document in documents]

        def write(folder: Path) -> None:
            vectors = self._encoder.encode_documents(documents)
            _refuse_bad_weights(vectors, names)
            save_npz(folder / FILE, vectors)

        key = {"encoder": dict(self._encoder.identity()), "documents": documents_sha(documents), "code": code_sha(__name__)}
        cached = self._cache.build("embeddings", key, write)
        vectors = csr_array(load_npz(cached.path / FILE))
        n_empty = int((np.diff(vectors.indptr) == 0).sum())
        if n_empty:
            log.warning("%d of %d documents have no weight at all and are never found", n_empty, len(documents))
        return vectors, cached


def _refuse_bad_weights(vectors: csr_array, names: Sequence[str]) -> None:
    """Check the rows of an encoder's output.

    Args:
        vectors: float32 (n, vocabulary).
        names: name of each text, for the error message.

    Raises:
        DataError: naming up to three rows with a weight that is not finite, or if the number of rows is wrong.
    """
    if vectors.shape[0] != len(names):
        raise DataError(f"expected {len(names)} rows of weights, found shape {vectors.shape}. The encoder or its cache is broken.")
    row_of_each = np.repeat(np.arange(len(names)), np.diff(vectors.indptr))
    rows = np.unique(row_of_each[~np.isfinite(vectors.data)])
    if rows.size:
        first = ", ".join(repr(names[row]) for row in rows[:3])
        raise DataError(f"{rows.size} of {len(names)} texts have weights that are not finite (first: {first}). Mend or remove these texts.")
