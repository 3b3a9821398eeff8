"""Embeddings by a sentence-transformers model, from a folder or from the hub, loaded without running code of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import huggingface_hub.constants
import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from numpy.typing import NDArray
from pydantic import PositiveInt
from sentence_transformers import SentenceTransformer
from tqdm import tqdm  # type: ignore[import-untyped]
from transformers.utils.logging import disable_progress_bar

from rag_eval.device import choose_device
from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.model_folder import check_embedder_folder, check_sha256, fingerprint, max_tokens
from rag_eval.parts import Vectors
from rag_eval.retrieve.searchable import document_text
from rag_eval.retrieve.vectors import unit_rows
from rag_eval.types import Document

log = logging.getLogger(__name__)

_BATCHES_A_STEP = 8  # texts of one step are sorted by length together; the progress bar moves once a step
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]
_HUB_FILES_NOT = ["onnx/*", "openvino/*"]


class SentenceTransformerEmbedder:
    """Embeds with a sentence-transformers model. The folder is found and checked, and the model loaded, on first use.

    Longer texts than the model reads are cut by it; how many is logged as a warning.
    """

    def __init__(
        self,
        model: str,
        sha256: str | None,
        batch_size: PositiveInt,
        device: Literal["auto", "cpu", "cuda"],
        revision: str | None = None,
    ) -> None:
        """
        Args:
            model: a folder, which needs no network, or a model id of the hub.
            sha256: of model.safetensors, verified before loading; None trusts the folder.
            batch_size: texts the model takes at once.
            device: auto takes CUDA when there is one.
            revision: commit of a hub model; None takes the newest. A folder has none.
        """
        self._model_name = model
        self._sha256 = sha256
        self._batch_size = batch_size
        self._device = choose_device(device)
        self._revision = revision

    def identity(self) -> Mapping[str, Any]:
        """What decides the vectors, to the last bit: files, length limit, device, batch size and library versions."""
        return {
            "embedder": fingerprint(self._folder),
            "max_tokens": max_tokens(self._folder),
            "normalised": True,
            "dtype": "float32",
            "device": self._device.type,
            "batch_size": self._batch_size,  # padding changes last bits
            "versions": {name: version(name) for name in ("sentence-transformers", "transformers", "torch")},
        }

    def embed_documents(self, documents: Sequence[Document]) -> Vectors:
        """float32 (n, dim), unit rows, in order; title and text together. Raises DataError naming ids of bad vectors."""
        texts = [document_text(document) for document in documents]
        self._warn_of_truncation("documents", texts)
        return unit_rows(self._encode(self._model.encode_document, texts), [document.id for document in documents])

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """float32 (n, dim), unit rows, in order."""
        self._warn_of_truncation("questions", questions)
        return unit_rows(self._encode(self._model.encode_query, questions), questions)

    def n_truncated(self, documents: Sequence[Document]) -> int:
        """How many documents are longer than the model reads, special tokens included."""
        return self._n_longer([document_text(document) for document in documents])

    def _encode(self, encode: Callable[..., Any], texts: Sequence[str]) -> NDArray[np.float32]:
        step = self._batch_size * _BATCHES_A_STEP
        starts = tqdm(range(0, len(texts), step), desc="embedding", delay=2, disable=None)  # shown after 2 s, on a terminal
        return np.concatenate([encode(list(texts[at : at + step]), batch_size=self._batch_size, show_progress_bar=False) for at in starts])

    def _warn_of_truncation(self, what: str, texts: Sequence[str]) -> None:
        n = self._n_longer(texts)
        if n:
            told = "%d of %d %s are longer than the %d tokens the embedder reads; their ends are not embedded"
            log.warning(told, n, len(texts), what, self._model.max_seq_length)

    def _n_longer(self, texts: Sequence[str]) -> int:
        limit = self._model.max_seq_length
        if not texts or limit is None:
            return 0
        tokens = self._model.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return sum(len(one) > limit for one in tokens)

    @cached_property
    def _folder(self) -> Path:
        is_local = Path(self._model_name).is_dir()
        folder = Path(self._model_name) if is_local else _download(self._model_name, self._revision)
        check_embedder_folder(folder)
        if self._sha256 is not None:
            check_sha256(folder, self._sha256)
        return folder

    @cached_property
    def _model(self) -> SentenceTransformer:
        disable_progress_bar()  # of the weights' loading
        return SentenceTransformer(
            str(self._folder),
            device=str(self._device),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )


def _download(model: str, revision: str | None) -> Path:
    """The hub model's folder in the local hub cache, fetched if it is not there: no pickles and no code come along."""
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_HUB_FILES, ignore_patterns=_HUB_FILES_NOT))
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise DataError(f"embedder.model={model}: neither a folder nor a model of the hub at revision {revision}.") from error
    except LocalEntryNotFoundError as error:
        if huggingface_hub.constants.HF_HUB_OFFLINE:
            raise DataError(f"embedder.model={model} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it.") from error
        raise EnvironmentFault(f"embedder.model={model} is not on this machine and the hub does not answer: {error}") from error
    except (HfHubHTTPError, OSError) as error:
        raise EnvironmentFault(f"embedder.model={model} is not on this machine and could not be fetched: {error}") from error
