"""Sparse term weights by a SPLADE model from a folder or the hub, loaded without executing code of the model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from pydantic import PositiveInt
from scipy.sparse import csr_array
from sentence_transformers import SparseEncoder
from sklearn.preprocessing import normalize

from rag_eval.device import choose_device
from rag_eval.errors import DataError
from rag_eval.models.control_tokens import Inert
from rag_eval.models.model_files import check_embedder_folder, check_model, fingerprint, max_tokens
from rag_eval.protocols import Similarity
from rag_eval.retrieve.encoders.declared import declared
from rag_eval.retrieve.encoders.hub_folder import ModelSource
from rag_eval.retrieve.encoders.positions import lower_limits, n_longer
from rag_eval.retrieve.encoders.weights import loaded
from rag_eval.retrieve.text_of import document_text
from rag_eval.source import code_sha
from rag_eval.types import Document

log = logging.getLogger(__name__)

_KEY = "retriever.encoder.model"


class SparseTextEncoder:
    """Encodes with a SparseEncoder of sentence-transformers. The model is checked and loaded on first use.

    Rows are compared by inner product; they have unit length if the folder declares the cosine. Texts longer than the model's limit are
    truncated, with a warning for documents.
    """

    def __init__(
        self,
        model: str,
        sha256: str | None,
        batch_size: PositiveInt,
        device: Literal["auto", "cpu", "cuda"],
        revision: str | None = None,
    ) -> None:
        """Configure the encoder.

        Args:
            model: local folder, or model id on the hub.
            sha256: expected hash of model.safetensors, verified before loading; None = not verified.
            batch_size: texts per forward pass.
            device: "auto" uses CUDA if available.
            revision: commit of a hub model; None = the newest. Ignored for a folder.

        Raises:
            DataError: if the folder does not exist, or loading it would execute code or unpickle data.
        """
        check_model(model)
        self._source = ModelSource(model, revision, sha256, _KEY, check_embedder_folder)
        self._batch_size = batch_size
        self._device = choose_device(device)

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the weights bit by bit: files, length limit, device, batch size and library versions."""
        return {
            "encoder": fingerprint(self._source.folder),
            "similarity": self._similarity,
            "max_tokens": max_tokens(self._source.folder),
            "dtype": "float32",
            "device": self._device.type,
            "batch_size": self._batch_size,  # padding affects rounding
            "versions": {name: version(name) for name in ("sentence-transformers", "transformers", "torch")},
            "code": code_sha(__name__),
        }

    def encode_documents(self, documents: Sequence[Document]) -> csr_array:
        """Weights float32 (n, vocabulary) of title and text, in order."""
        texts = [document_text(document) for document in documents]
        self._warn_of_truncation(texts)
        return self._encode(self._model.encode_document, texts)

    def encode_questions(self, questions: Sequence[str]) -> csr_array:
        """Weights float32 (n, vocabulary), in order."""
        return self._encode(self._model.encode_query, questions)

    def _encode(self, encode: Callable[..., Any], texts: Sequence[str]) -> csr_array:
        with self._inert.reading(texts):
            encoded = encode(list(texts), batch_size=self._batch_size, show_progress_bar=False, save_to_cpu=True).coalesce()
        places = encoded.indices().numpy()
        rows = csr_array((encoded.values().numpy().astype(np.float32), (places[0], places[1])), shape=tuple(encoded.shape))
        return normalize(rows) if self._similarity == "cosine" else rows

    def _warn_of_truncation(self, texts: Sequence[str]) -> None:
        limit = self._model.max_seq_length
        with self._inert.reading(texts):
            n = n_longer(self._model.tokenizer, texts, limit) if limit else 0
        if n:
            log.warning(
                "%d of %d documents are longer than the %d tokens the encoder reads; their ends are not encoded", n, len(texts), limit
            )

    @cached_property
    def _inert(self) -> Inert:
        return Inert(self._model.tokenizer)

    @cached_property
    def _similarity(self) -> Similarity:
        found = declared(self._source.folder, "dot").similarity
        if found == "euclidean":
            raise DataError(f"{_KEY}={self._source.model}: expected similarity dot or cosine, found {found!r}. Use another model.")
        return found

    @cached_property
    def _model(self) -> SparseEncoder:
        model = loaded(SparseEncoder, self._source.folder, self._device, "float32", _KEY, self._source.model)
        lower_limits(model)
        return model
