"""Null adapter: the base model unchanged."""

from __future__ import annotations

from rag_eval.protocols import Generator, PromptWriter
from rag_eval.types import Cached, QADataset, Weights


class NoAdapter:
    """Returns the generator unchanged."""

    weights: Weights = "base"

    def fit(self, generator: Generator, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        return generator, None
