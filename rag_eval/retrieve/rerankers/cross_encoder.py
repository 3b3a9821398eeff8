"""Reranking with a cross-encoder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt
from sentence_transformers import CrossEncoder

from rag_eval.device import choose_device
from rag_eval.errors import DataError
from rag_eval.models.control_tokens import Inert
from rag_eval.models.model_files import check_embedder_folder, check_model, fingerprint
from rag_eval.retrieve.encoders.hub_folder import ModelSource
from rag_eval.retrieve.encoders.positions import lower_limits, n_longer
from rag_eval.retrieve.encoders.weights import loaded
from rag_eval.retrieve.text_of import document_text
from rag_eval.source import code_sha
from rag_eval.types import Document

log = logging.getLogger(__name__)

_KEY = "retriever.reranker.model"


class CrossEncoderReranker:
    """Scores each pair of question and document with a cross-encoder (Nogueira and Cho 2019).

    The model folder is located and checked before documents are indexed; the model is loaded on first use. Scores are raw logits,
    because probabilities saturate to equal scores. Pairs longer than the model's limit are truncated, with a warning.
    """

    def __init__(
        self,
        model: str,
        sha256: str | None,
        batch_size: PositiveInt,
        device: Literal["auto", "cpu", "cuda"],
        revision: str | None = None,
    ) -> None:
        """Configure the reranker.

        Args:
            model: local folder, or model id on the hub; must output one score per pair.
            sha256: expected hash of model.safetensors, verified before loading; None = not verified.
            batch_size: pairs per forward pass; pairs of similar length are batched together.
            device: "auto" uses CUDA if available.
            revision: commit of a hub model; None = the newest. Ignored for a folder.

        Raises:
            DataError: if the folder does not exist, or loading it would execute code or unpickle data.
        """
        check_model(model)
        self._source = ModelSource(model, revision, sha256, _KEY, _check_reranker)
        self._batch_size = batch_size
        self._device = choose_device(device)

    def learn(self, documents: Sequence[Document]) -> None:
        """Locate and check the model folder, so that errors occur before indexing; the documents are not used."""
        _ = self._source.folder

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the scores bit by bit: files, device, batch size and library versions."""
        return {
            "reranker": fingerprint(self._source.folder),
            "dtype": "float32",
            "device": self._device.type,
            "batch_size": self._batch_size,  # padding affects rounding
            "versions": {name: version(name) for name in ("sentence-transformers", "transformers", "torch")},
            "code": code_sha(__name__),
        }

    def score(self, questions: Sequence[str], candidates: Sequence[Sequence[Document]]) -> list[NDArray[np.float32]]:
        """Score candidates.

        Args:
            questions: n questions.
            candidates: documents for each question.

        Returns:
            For each question float32 (n_candidates,), logits in the order of the candidates.
        """
        pairs = [(question, document_text(document)) for question, those in zip(questions, candidates, strict=True) for document in those]
        if not pairs:
            return [np.zeros(0, dtype=np.float32) for _ in questions]
        with self._inert.reading([text for pair in pairs for text in pair]):
            self._warn_of_truncation(pairs)
            scores = self._model.predict(pairs, batch_size=self._batch_size, show_progress_bar=False, activation_fn=torch.nn.Identity())
        ends = np.cumsum([len(those) for those in candidates])
        return list(np.split(np.asarray(scores, dtype=np.float32), ends[:-1]))

    def _warn_of_truncation(self, pairs: Sequence[tuple[str, str]]) -> None:
        limit = self._model.max_seq_length
        n = n_longer(self._model.tokenizer, pairs, limit) if limit else 0
        if n:
            told = "%d of %d pairs of question and document are longer than the %d tokens the reranker reads; their ends are not read"
            log.warning(told, n, len(pairs), limit)

    @cached_property
    def _inert(self) -> Inert:
        return Inert(self._model.tokenizer)

    @cached_property
    def _model(self) -> CrossEncoder:
        model = loaded(CrossEncoder, self._source.folder, self._device, "float32", _KEY, self._source.model)
        if model.num_labels != 1:
            raise DataError(f"{self._source.model} gives {model.num_labels} scores a pair, expected 1. Use a model made for ranking.")
        lower_limits(model)
        return model


def _check_reranker(folder: Path) -> None:
    check_model(str(folder))
    if (folder / "modules.json").is_file():
        check_embedder_folder(folder)
