"""No training: the base model as it is."""

from __future__ import annotations

from rag_eval.parts import Cached, Generator, PromptWriter, Weights
from rag_eval.types import QADataset


class NoAdapter:
    """Leaves the generator alone."""

    weights: Weights = "base"

    def fit(self, generator: Generator, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        return generator, None
