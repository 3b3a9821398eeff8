"""Encoding of documents and questions by one network, with counts of truncated tokens."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rag_eval.protocols import Allocate, Vectors
from rag_eval.retrieve.document_store import documents_sha
from rag_eval.retrieve.encoders.token_batches import Limits, TextReader, TokenIds, embed, tokenized
from rag_eval.retrieve.encoders.vectors import in_memory
from rag_eval.retrieve.text_of import document_text
from rag_eval.types import Document, Truncation

log = logging.getLogger(__name__)


class Encoder:
    """A network that encodes documents and questions, each with its own settings, in batches within limits.

    Args:
        documents: how documents are encoded.
        questions: how questions are encoded.
        limits: maximum batch size.
    """

    def __init__(self, documents: TextReader, questions: TextReader, limits: Limits) -> None:
        self._documents = documents
        self._questions = questions
        self._limits = limits
        self._truncations: dict[str, Truncation] = {}  # by sha256 of the documents

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        """Vectors float32 (n, dim) of title and text, in order. Raises DataError naming documents with invalid vectors."""
        tokens = self._tokens(documents)
        self._warn(tokens.truncation, "documents", self._documents.limit)
        return embed(self._documents, tokens, self._limits, [document.id for document in documents], allocate)

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """Vectors float32 (n, dim), in order."""
        tokens = tokenized(self._questions, questions)
        self._warn(tokens.truncation, "questions", self._questions.limit)
        return embed(self._questions, tokens, self._limits, questions, in_memory)

    def truncation(self, documents: Sequence[Document]) -> Truncation:
        """Share of the documents that is truncated; documents that were not embedded before are tokenized."""
        return self._truncations.get(documents_sha(documents)) or self._tokens(documents).truncation

    def _tokens(self, documents: Sequence[Document]) -> TokenIds:
        tokens = tokenized(self._documents, [document_text(document) for document in documents])
        self._truncations[documents_sha(documents)] = tokens.truncation
        return tokens

    def _warn(self, cut: Truncation, what: str, limit: int | None) -> None:
        if cut.n_truncated:
            told = "%d of %d %s are longer than the %d tokens the embedder reads; their ends are not embedded (%.1f %% of all tokens)"
            log.warning(told, cut.n_truncated, cut.n_texts, what, limit, 100 * cut.share_of_tokens_cut)
