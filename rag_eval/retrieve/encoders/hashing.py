"""Embedder without a model, by feature hashing. For tests and quick runs; it matches identical words only."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import PositiveInt

from rag_eval.protocols import Allocate, Similarity, Vectors
from rag_eval.retrieve.encoders.vectors import in_memory, refuse_bad_rows, unit_rows
from rag_eval.retrieve.text_of import document_text
from rag_eval.retrieve.words import compared
from rag_eval.source import code_sha
from rag_eval.types import Document


class HashEmbedder:
    """Counts the words of a text (character bigrams in scripts without spaces) in `dim` buckets selected by crc32.

    Case is ignored, and the vectors are the same on every machine.
    """

    similarity: Similarity = "cosine"

    def __init__(self, dim: PositiveInt) -> None:
        self._dim = dim

    def learn(self, documents: Sequence[Document]) -> None:
        """No effect: the hash function does not depend on the documents."""

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the vectors."""
        return {"embedder": "hashed words, crc32", "dim": self._dim, "similarity": self.similarity, "code": code_sha(__name__)}

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        """Unit vectors float32 (n, dim), in order. Raises DataError naming documents without a word."""
        return self._embed([document_text(document) for document in documents], [document.id for document in documents], allocate)

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """Unit vectors float32 (n, dim), in order. Raises DataError for a blank question."""
        return self._embed(questions, questions, in_memory)

    def _embed(self, texts: Sequence[str], names: Sequence[str], allocate: Allocate) -> Vectors:
        vectors = allocate((len(texts), self._dim))
        for row, text in enumerate(texts):
            vectors[row] = unit_rows([self._counts(text)])
        refuse_bad_rows(vectors, names)
        return vectors

    def _counts(self, text: str) -> Vectors:
        counts = np.zeros(self._dim, dtype=np.float32)
        for word in compared(text) or text.split():  # a text without letters is split at white space
            counts[zlib.crc32(word.encode("utf-8", "surrogatepass")) % self._dim] += 1
        return counts
