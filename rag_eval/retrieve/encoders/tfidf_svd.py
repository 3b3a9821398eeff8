"""Embeddings by latent semantic analysis: tf-idf followed by truncated SVD, fitted to the first documents."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from rag_eval.errors import DataError
from rag_eval.protocols import Allocate, Cache, Similarity, Vectors
from rag_eval.retrieve.document_store import documents_sha
from rag_eval.retrieve.encoders.vectors import in_memory, refuse_bad_rows, unit_rows
from rag_eval.retrieve.text_of import document_text
from rag_eval.retrieve.words import compared, is_unparted
from rag_eval.source import code_sha
from rag_eval.types import Cached, Document

log = logging.getLogger(__name__)


def _terms(text: str) -> list[str]:
    """Words of at least two letters, as in scikit-learn, and all terms of words in scripts without spaces."""
    return [piece for piece in compared(text) if len(piece) > 1 or is_unparted(piece)]


_WORDS = {"sublinear_tf": True, "dtype": np.float32, "analyzer": _terms}
_SEED = 0  # seed of the randomized SVD
_NOTHING = 1e-5  # norms below this are rounding errors in single precision
_BLOCK = 4096  # texts per block


class TfidfSvd:
    """Fits vocabulary and components to the first documents; later ones are embedded with these.

    A text without a known word is embedded as the unit vector of the last column, where all other texts are 0.
    """

    similarity: Similarity = "cosine"

    def __init__(self, dim: PositiveInt, cache: Cache) -> None:
        """Configure the embedder.

        Args:
            dim: number of components; fewer if the documents have lower rank.
            cache: cache of the fitted parameters between runs.
        """
        self._dim = dim
        self._cache = cache
        self._learned: _Learned | None = None

    def learn(self, documents: Sequence[Document]) -> Cached:
        """Fit vocabulary, idf weights and components, or load them from the cache.

        Args:
            documents: the documents.

        Returns:
            Cache entry of the parameters.

        Raises:
            DataError: if no document has a word of two letters.
        """
        key = {"embedder": self._settings, "documents": documents_sha(documents), "code": code_sha(__name__)}
        texts = [document_text(document) for document in documents]
        kept = self._cache.build("tfidf_svd", key, lambda folder: _write(_fitted(texts, self._dim), folder))
        self._learned = _read(kept.path)
        n_found = len(self._learned.directions)
        if n_found < self._dim:
            log.warning("embedder.dim=%d: %d documents have %d directions; these are kept", self._dim, len(documents), n_found)
        return kept

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the vectors: settings and fitted parameters."""
        return {**self._settings, "learned": None if self._learned is None else self._learned.sha256, "code": code_sha(__name__)}

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        """Unit vectors float32 (n, n_components + 1) of title and text, in order."""
        return self._embed([document_text(document) for document in documents], [document.id for document in documents], allocate)

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """Unit vectors float32 (n, n_components + 1), in order."""
        return self._embed(questions, questions, in_memory)

    @property
    def _settings(self) -> dict[str, Any]:
        made_by = {"similarity": self.similarity, "versions": {"scikit-learn": version("scikit-learn")}}
        return {"embedder": "tf-idf, truncated SVD", "dim": self._dim, **made_by}

    def _embed(self, texts: Sequence[str], names: Sequence[str], allocate: Allocate) -> Vectors:
        if self._learned is None:
            raise DataError("TfidfSvd has learned no words yet. Give it documents first.")
        vectors = allocate((len(texts), len(self._learned.directions) + 1))
        for start in range(0, len(texts), _BLOCK):
            vectors[start : start + _BLOCK] = self._learned.embed(texts[start : start + _BLOCK])
        refuse_bad_rows(vectors, names)
        return vectors


class _Learned:
    """Fitted vocabulary, idf weights and components."""

    def __init__(self, words: Sequence[str], weights: NDArray[np.float32], directions: NDArray[np.float32]) -> None:
        """Create the vectorizer.

        Args:
            words: vocabulary of n words, in column order.
            weights: float32 (n,), inverse document frequency.
            directions: float32 (n_components, n), by decreasing singular value.
        """
        self.words, self.weights, self.directions = words, weights, directions
        self._vectorizer = TfidfVectorizer(vocabulary=words, **_WORDS)
        self._vectorizer.idf_ = weights

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256(json.dumps(self.words).encode())
        for numbers in (self.weights, self.directions):
            digest.update(np.ascontiguousarray(numbers).tobytes())
        return digest.hexdigest()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors float32 (n, n_components + 1)."""
        turned = np.asarray(self._vectorizer.transform(texts) @ self.directions.T, dtype=np.float32)
        is_unknown = np.linalg.norm(turned, axis=1) < _NOTHING
        turned[is_unknown] = 0
        return unit_rows(np.column_stack([turned, is_unknown]))


def _fitted(texts: Sequence[str], dim: int) -> _Learned:
    vectorizer = TfidfVectorizer(**_WORDS)
    try:
        matrix = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise DataError("the documents have no word of two letters or more; tf-idf has nothing to learn. Use another embedder.") from error
    svd = TruncatedSVD(min(dim, *matrix.shape), random_state=_SEED).fit(matrix)
    is_there = svd.singular_values_ > _NOTHING * svd.singular_values_[0]
    return _Learned(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_, svd.components_[is_there])


def _write(learned: _Learned, folder: Path) -> None:
    (folder / "words.json").write_text(json.dumps(learned.words), encoding="utf-8")
    np.save(folder / "weights.npy", learned.weights, allow_pickle=False)
    np.save(folder / "directions.npy", learned.directions, allow_pickle=False)


def _read(folder: Path) -> _Learned:
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    weights, directions = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("weights", "directions"))
    return _Learned(words, weights, directions)
