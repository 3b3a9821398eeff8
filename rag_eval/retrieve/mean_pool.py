"""Embeddings by any encoder of Hugging Face transformers: the mean of the last hidden states of a text's tokens."""

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
from rag_eval.model_folder import check_model, check_sha256, check_weights, fingerprint
from rag_eval.parts import Allocate, Similarity, Truncation, Vectors
from rag_eval.retrieve.encoder import Encoder
from rag_eval.retrieve.hub_folder import hub_folder
from rag_eval.retrieve.positions import readable
from rag_eval.retrieve.token_batches import Features, Limits, Reading
from rag_eval.retrieve.weights import check_network, loading, resolved
from rag_eval.source import code_sha
from rag_eval.types import Document

_KEY = "embedder.model"
_GENERATIVE = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


class MeanPoolEmbedder:
    """Embeds with an encoder such as BERT. The folder is found and checked, and the network loaded, on first use.

    Longer texts than the network has positions for are cut; how many is logged as a warning.
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
        """
        Args:
            model: a folder, which needs no network, or a model id of the hub; with weights in safetensors.
            sha256: of model.safetensors, verified before loading; None trusts the folder.
            batch_size: texts the network takes at once, at most.
            token_budget: tokens of a padded batch, at most; None takes what suits the device.
            dtype: of the weights; auto takes bfloat16 where the device is faster with it. Vectors are float32 in any case.
            device: auto takes CUDA when there is one.
            revision: commit of a hub model; None takes the newest. A folder has none.
            query_prefix: stands before every question, as in "query: ".
            document_prefix: the same before every document.

        Raises:
            DataError: if the folder does not exist or its loading would run code or unpickle.
        """
        check_model(model)
        self._model_name = model
        self._sha256 = sha256
        self._device = choose_device(device)
        self._limits = Limits.on(self._device, token_budget, batch_size)
        self._dtype = resolved(dtype, self._device)
        self._revision = revision
        self._prompts = {"query": query_prefix, "document": document_prefix}

    def learn(self, documents: Sequence[Document]) -> None:
        """Find and check the model's folder; the documents teach nothing."""
        _ = self._folder

    def identity(self) -> Mapping[str, Any]:
        """What decides the vectors, to the last bit: files, pooling, dtype, device, batches and library versions."""
        return {
            "embedder": self._fingerprint,
            "pooling": "mean of the last hidden states",
            "similarity": self.similarity,
            "normalised": True,
            "prompts": self._prompts,
            "dtype": self._dtype,
            "device": self._device.type,
            "batches": [self._limits.token_budget, self._limits.max_rows],  # padding changes last bits
            "versions": {name: version(name) for name in ("transformers", "torch")},
            "code": code_sha(__name__),
        }

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        """float32 (n, dim), unit rows, in order; title and text together. Raises DataError naming ids of bad vectors."""
        return self._encoder.embed_documents(documents, allocate)

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """float32 (n, dim), unit rows, in order."""
        return self._encoder.embed_questions(questions)

    def truncation(self, documents: Sequence[Document]) -> Truncation:
        """How much of the documents the network does not read; they are tokenized if they were not embedded here before."""
        return self._encoder.truncation(documents)

    @cached_property
    def _folder(self) -> Path:
        folder = hub_folder(self._model_name, self._revision, _KEY)
        check_model(str(folder))
        _refuse_generative(folder)
        check_weights(folder)
        if self._sha256 is not None:
            check_sha256(folder, self._sha256)
        return folder

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._folder)

    @cached_property
    def _encoder(self) -> Encoder:
        network, tokenizer = _loaded(self._folder, self._fingerprint, self._device, self._dtype)
        forward, limit = partial(_mean_of_states, network), readable(network, tokenizer.model_max_length)
        documents, questions = (Reading(tokenizer, forward, self._device, limit, self._prompts[kind]) for kind in ("document", "query"))
        return Encoder(documents, questions, self._limits)


def _mean_of_states(network: Any, features: Features) -> torch.Tensor:
    """(rows, dim), padding left out."""
    states = network(**features).last_hidden_state
    is_real = features["attention_mask"].unsqueeze(-1)
    mean: torch.Tensor = (states * is_real.to(states.dtype)).sum(dim=1, dtype=torch.float32) / is_real.sum(dim=1)
    return mean


@lru_cache(maxsize=2)  # the jobs of a sweep load a network once
def _loaded(folder: Path, fingerprint: str, device: torch.device, dtype: str) -> tuple[Any, Any]:
    """The network in eval mode and its tokenizer. `fingerprint` is there so that changed files are not taken for the loaded ones."""
    disable_progress_bar()  # of the weights' loading
    source = {"local_files_only": True, "trust_remote_code": False}
    with loading(_KEY, str(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder, **source)
        network, found = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=dtype, output_loading_info=True, **source)
    missing = sorted(name for name in found["missing_keys"] if "pooler" not in name)  # the pooler's output is not read
    if missing:
        raise DataError(f"{_KEY}={folder}: {len(missing)} weights are not in its files (first: {missing[0]}). Get the files again.")
    if not tokenizer.is_fast:
        raise DataError(f"{_KEY}={folder}: expected a fast tokenizer (tokenizer.json), found a slow one. Use another model.")
    check_network(network, tokenizer, _KEY, str(folder))
    return network.to(device).eval(), tokenizer


def _refuse_generative(folder: Path) -> None:
    with loading(_KEY, str(folder)):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    is_decoder = config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    named = [name for name in config.architectures or [] if name.endswith(_GENERATIVE)]
    if is_decoder or named or config.is_encoder_decoder:
        found = ", ".join(config.architectures or [config.model_type])
        raise DataError(f"{_KEY}={folder}: expected an encoder such as BertModel, found {found}, which generates text. Use another model.")
