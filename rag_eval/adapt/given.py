"""An adapter that was trained elsewhere: a standard PEFT folder, judged before anything opens it."""

from __future__ import annotations

from pathlib import Path

from rag_eval.adapt.adapter_folder import check_fits, check_safe
from rag_eval.parts import Cached, Generator, PromptWriter, Trainable, Weights
from rag_eval.types import QADataset


class Given:
    """Answers with the adapter of a folder; nothing is trained."""

    weights: Weights = "trained"

    def __init__(self, path: str) -> None:
        """
        Args:
            path: a folder with adapter_config.json and adapter_model.safetensors.

        Raises:
            DataError: if the folder is no LoRA adapter that is safe to load.
        """
        check_safe(path)
        self.path = path

    def fit(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        """The generator with the adapter. What training it took is not known.

        Raises:
            DataError: if the adapter is of another model.
        """
        check_fits(self.path, generator.model, generator.revision, str(generator.identity()["base_model"]))
        return generator.with_adapter(self.path), Cached(Path(self.path), is_hit=True, seconds=None)
