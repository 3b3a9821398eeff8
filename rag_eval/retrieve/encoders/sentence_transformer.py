"""Embeddings with a sentence-transformers model from a folder or the hub, loaded without executing code of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import PositiveInt
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer

from rag_eval.device import choose_device
from rag_eval.errors import DataError
from rag_eval.models.model_files import check_embedder_folder, fingerprint, max_tokens
from rag_eval.protocols import Allocate, Similarity, Vectors
from rag_eval.retrieve.encoders.declared import Declared, declared
from rag_eval.retrieve.encoders.encoder import Encoder
from rag_eval.retrieve.encoders.hub_folder import ModelSource
from rag_eval.retrieve.encoders.positions import readable
from rag_eval.retrieve.encoders.token_batches import Features, Limits, TextReader
from rag_eval.retrieve.encoders.weights import check_network, loaded, resolved
from rag_eval.source import code_sha
from rag_eval.types import Document, Truncation

_KEY = "embedder.model"


class SentenceTransformerEmbedder:
    """Embeds with a sentence-transformers model. The folder is checked, and the model loaded, on first use.

    Questions and documents get the prompts that the folder declares, and vectors are compared by the similarity that it declares; see
    rag_eval.retrieve.encoders.declared. Texts longer than the model's limit are truncated, with a warning.
    """

    def __init__(
        self,
        model: str,
        sha256: str | None,
        batch_size: PositiveInt,
        token_budget: PositiveInt | None,
        dtype: Literal["auto", "float32", "bfloat16"],
        device: Literal["auto", "cpu", "cuda"],
        revision: str | None = None,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
    ) -> None:
        """Configure the embedder.

        Args:
            model: local folder, or model id on the hub.
            sha256: expected hash of model.safetensors, verified before loading; None = not verified.
            batch_size: maximum number of texts per forward pass.
            token_budget: maximum number of tokens of a padded batch; None = a default for the device.
            dtype: dtype of the weights; "auto" uses bfloat16 if the device is faster with it. Vectors are always float32.
            device: "auto" uses CUDA if available.
            revision: commit of a hub model; None = the newest. Ignored for a folder.
            query_prefix: text before every question, such as "query: "; None = as declared by the folder, "" = none.
            document_prefix: text before every document; None = as declared by the folder, "" = none.
        """
        self._source = ModelSource(model, revision, sha256, _KEY, check_embedder_folder)
        self._device = choose_device(device)
        self._limits = Limits.on(self._device, token_budget, batch_size)
        self._dtype = resolved(dtype, self._device)
        self._query_prefix, self._document_prefix = query_prefix, document_prefix

    @property
    def similarity(self) -> Similarity:
        """Similarity declared by the folder; cosine if none is declared."""
        return self._declared.similarity

    def learn(self, documents: Sequence[Document]) -> None:
        """Locate and check the model folder; the documents are not used."""
        _ = self._source.folder

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the vectors bit by bit: files, prompts, similarity, dtype, device, batches, library versions."""
        return {
            "embedder": self._fingerprint,
            "max_tokens": max_tokens(self._source.folder),
            "similarity": self.similarity,
            "normalised": self.similarity == "cosine",
            "prompts": {"query": self._declared.query_prompt, "document": self._declared.document_prompt},
            "dtype": self._dtype,
            "device": self._device.type,
            "batches": [self._limits.token_budget, self._limits.max_rows],  # padding affects rounding
            "versions": {name: version(name) for name in ("sentence-transformers", "transformers", "torch")},
            "code": code_sha(__name__),
        }

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        """Vectors float32 (n, dim) of title and text, in order. Raises DataError naming documents with invalid vectors."""
        return self._encoder.embed_documents(documents, allocate)

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """Vectors float32 (n, dim), in order."""
        return self._encoder.embed_questions(questions)

    def truncation(self, documents: Sequence[Document]) -> Truncation:
        """Share of the documents that is truncated; documents that were not embedded before are tokenized."""
        return self._encoder.truncation(documents)

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._source.folder)

    @cached_property
    def _declared(self) -> Declared:
        """Settings of the folder, with configured prefixes in place of its prompts."""
        found = declared(self._source.folder)
        query = found.query_prompt if self._query_prefix is None else self._query_prefix
        document = found.document_prompt if self._document_prefix is None else self._document_prefix
        return Declared(found.similarity, query, document)

    @cached_property
    def _encoder(self) -> Encoder:
        model = _loaded(self._source.folder, self._fingerprint, self._device, self._dtype)
        limit, first = model.max_seq_length, model[0]
        documents = self._reading(model, first.document_length or limit, self._declared.document_prompt)
        return Encoder(documents, self._reading(model, first.query_length or limit, self._declared.query_prompt), self._limits)

    def _reading(self, model: SentenceTransformer, limit: int | None, prompt: str) -> TextReader:
        forward = partial(_sentence_embedding, model, _features(model, prompt))
        return TextReader(model[0].tokenizer, forward, self._device, readable(model[0].model, limit), prompt, self.similarity == "cosine")


def _features(model: SentenceTransformer, prompt: str) -> Features:
    """Additional inputs of the modules besides the tokens."""
    tokenizer = model[0].tokenizer
    more: Features = {"modality": "text"}
    if prompt:
        ids = tokenizer(prompt)["input_ids"]
        more["prompt_length"] = len(ids) - (ids[-1] in tokenizer.all_special_ids)  # some models exclude the prompt from the mean
    return more


def _sentence_embedding(model: SentenceTransformer, more: Features, features: Features) -> torch.Tensor:
    embedding: torch.Tensor = model({**features, **more})["sentence_embedding"]
    return embedding


@lru_cache(maxsize=2)  # shared by the jobs of a sweep
def _loaded(folder: Path, fingerprint: str, device: torch.device, dtype: str) -> SentenceTransformer:
    """Model in eval mode. `fingerprint` is only a cache key, so that changed files are loaded again."""
    model = loaded(SentenceTransformer, folder, device, dtype, _KEY, str(folder))
    _refuse_other_than_text(model, folder)
    check_network(model[0].model, model[0].tokenizer, _KEY, str(folder))
    return model.to(getattr(torch, dtype)).eval()


def _refuse_other_than_text(model: SentenceTransformer, folder: Path) -> None:
    first = model[0]
    is_plain = isinstance(first, Transformer) and "message" not in first.modality_config and first.query_expansion is None
    if not is_plain or "text" not in first.modality_config or not first.tokenizer.is_fast:
        raise DataError(
            f"{_KEY}={folder}: expected a transformer that reads plain text with a fast tokenizer, found {type(first).__name__}. "
            "Use another model."
        )
