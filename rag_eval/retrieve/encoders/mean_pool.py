"""Embeddings with an encoder of Hugging Face transformers: mean of the last hidden states over the tokens of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import PositiveInt
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils.logging import disable_progress_bar

from rag_eval.device import choose_device
from rag_eval.errors import DataError
from rag_eval.models.model_files import check_model, fingerprint
from rag_eval.protocols import Allocate, Similarity, Vectors
from rag_eval.retrieve.encoders.encoder import Encoder
from rag_eval.retrieve.encoders.hub_folder import ModelSource
from rag_eval.retrieve.encoders.positions import readable
from rag_eval.retrieve.encoders.token_batches import Features, Limits, TextReader
from rag_eval.retrieve.encoders.weights import check_network, loading, resolved
from rag_eval.source import code_sha
from rag_eval.types import Document, Truncation

_KEY = "embedder.model"
_GENERATIVE = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


class MeanPoolEmbedder:
    """Embeds with an encoder such as BERT. The folder is checked, and the network loaded, on first use.

    Texts longer than the network's number of positions are truncated, with a warning.
    """

    similarity: Similarity = "cosine"

    def __init__(
        self,
        model: str,
        sha256: str | None,
        batch_size: PositiveInt,
        token_budget: PositiveInt | None,
        dtype: Literal["auto", "float32", "bfloat16"],
        device: Literal["auto", "cpu", "cuda"],
        revision: str | None = None,
        query_prefix: str = "",
        document_prefix: str = "",
    ) -> None:
        """Configure the embedder.

        Args:
            model: local folder, or model id on the hub; with safetensors weights.
            sha256: expected hash of model.safetensors, verified before loading; None = not verified.
            batch_size: maximum number of texts per forward pass.
            token_budget: maximum number of tokens of a padded batch; None = a default for the device.
            dtype: dtype of the weights; "auto" uses bfloat16 if the device is faster with it. Vectors are always float32.
            device: "auto" uses CUDA if available.
            revision: commit of a hub model; None = the newest. Ignored for a folder.
            query_prefix: text before every question, such as "query: ".
            document_prefix: text before every document.

        Raises:
            DataError: if the folder does not exist, or loading it would execute code or unpickle data.
        """
        check_model(model)
        self._source = ModelSource(model, revision, sha256, _KEY, _check_encoder)
        self._device = choose_device(device)
        self._limits = Limits.on(self._device, token_budget, batch_size)
        self._dtype = resolved(dtype, self._device)
        self._prompts = {"query": query_prefix, "document": document_prefix}

    def learn(self, documents: Sequence[Document]) -> None:
        """Locate and check the model folder; the documents are not used."""
        _ = self._source.folder

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the vectors bit by bit: files, pooling, dtype, device, batches, library versions."""
        return {
            "embedder": self._fingerprint,
            "pooling": "mean of the last hidden states",
            "similarity": self.similarity,
            "normalised": True,
            "prompts": self._prompts,
            "dtype": self._dtype,
            "device": self._device.type,
            "batches": [self._limits.token_budget, self._limits.max_rows],  # padding affects rounding
            "versions": {name: version(name) for name in ("transformers", "torch")},
            "code": code_sha(__name__),
        }

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        """Unit vectors float32 (n, dim) of title and text, in order. Raises DataError naming documents with invalid vectors."""
        return self._encoder.embed_documents(documents, allocate)

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """Unit vectors float32 (n, dim), in order."""
        return self._encoder.embed_questions(questions)

    def truncation(self, documents: Sequence[Document]) -> Truncation:
        """Share of the documents that is truncated; documents that were not embedded before are tokenized."""
        return self._encoder.truncation(documents)

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._source.folder)

    @cached_property
    def _encoder(self) -> Encoder:
        network, tokenizer = _loaded(self._source.folder, self._fingerprint, self._device, self._dtype)
        forward, limit = partial(_mean_of_states, network), readable(network, tokenizer.model_max_length)
        documents, questions = (TextReader(tokenizer, forward, self._device, limit, self._prompts[kind]) for kind in ("document", "query"))
        return Encoder(documents, questions, self._limits)


def _mean_of_states(network: Any, features: Features) -> torch.Tensor:
    """Mean of the last hidden states, float32 (rows, dim), without padding."""
    states = network(**features).last_hidden_state
    is_real = features["attention_mask"].unsqueeze(-1)
    mean: torch.Tensor = (states * is_real.to(states.dtype)).sum(dim=1, dtype=torch.float32) / is_real.sum(dim=1)
    return mean


@lru_cache(maxsize=2)  # shared by the jobs of a sweep
def _loaded(folder: Path, fingerprint: str, device: torch.device, dtype: str) -> tuple[Any, Any]:
    """Load network and tokenizer.

    Args:
        folder: model folder.
        fingerprint: hash of the folder; only a cache key, so that changed files are loaded again.
        device: device of the network.
        dtype: dtype of the weights.

    Returns:
        The network in eval mode and its tokenizer.

    Raises:
        DataError: if weights are missing, the tokenizer is slow, or the two do not match.
    """
    disable_progress_bar()  # of the weights' loading
    source = {"local_files_only": True, "trust_remote_code": False}
    with loading(_KEY, str(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder, **source)
        network, found = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=dtype, output_loading_info=True, **source)
    missing = sorted(name for name in found["missing_keys"] if "pooler" not in name)  # the pooler's output is not used
    if missing:
        raise DataError(f"{_KEY}={folder}: {len(missing)} weights are not in its files (first: {missing[0]}). Get the files again.")
    if not tokenizer.is_fast:
        raise DataError(f"{_KEY}={folder}: expected a fast tokenizer (tokenizer.json), found a slow one. Use another model.")
    check_network(network, tokenizer, _KEY, str(folder))
    return network.to(device).eval(), tokenizer


def _check_encoder(folder: Path) -> None:
    check_model(str(folder))
    _refuse_generative(folder)


def _refuse_generative(folder: Path) -> None:
    with loading(_KEY, str(folder)):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    is_decoder = config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    named = [name for name in config.architectures or [] if name.endswith(_GENERATIVE)]
    if is_decoder or named or config.is_encoder_decoder:
        found = ", ".join(config.architectures or [config.model_type])
        raise DataError(f"{_KEY}={folder}: expected an encoder such as BertModel, found {found}, which generates text. Use another model.")
