"""Adapters that were trained elsewhere: standard PEFT folders, judged before anything opens them."""

from __future__ import annotations

from pathlib import Path

from rag_eval.adapt.adapter_base import check_fits
from rag_eval.adapt.adapter_folder import check_safe
from rag_eval.errors import ConfigError
from rag_eval.parts import Cached, Generator, PromptWriter, Trainable, Weights
from rag_eval.types import QADataset


class Given:
    """Answers with the adapter of a folder, or each question with the one of several that it names; nothing is trained."""

    weights: Weights = "trained"

    def __init__(self, path: str | None = None, paths: dict[str, str] | None = None, by: str | None = None) -> None:
        """
        Args:
            path: a folder with adapter_config.json and adapter_model.safetensors.
            paths: in its place, several such folders by name.
            by: the key of a question's meta that holds the name of the adapter to answer it.

        Raises:
            ConfigError: unless there is either a path, or paths with a key.
            DataError: if a folder is no LoRA adapter that is safe to load.
        """
        is_one, is_several = bool(path and not paths and not by), bool(paths and by and not path)
        if not (is_one or is_several):
            raise ConfigError(
                f"adapter.path={path}, adapter.paths={paths}, adapter.by={by}: expected adapter.path=FOLDER alone, or "
                "'adapter.paths={NAME: FOLDER, ...}' with adapter.by=KEY, the key of a question's meta that names one of them."
            )
        self.folders = [path] if path else list((paths or {}).values())
        for folder in self.folders:
            check_safe(folder)
        self.paths, self.by = paths, by

    def fit(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        """The generator with the adapter, or with all of them. What training they took is not known.

        Raises:
            DataError: if an adapter is of another model.
        """
        base_model = str(generator.identity()["base_model"])
        for folder in self.folders:
            check_fits(folder, generator.model, generator.revision, base_model)
        kept = Cached.together([Cached(Path(folder), is_hit=True, seconds=None) for folder in self.folders])
        if self.paths and self.by:
            return generator.with_adapters(self.paths, self.by), kept
        return generator.with_adapter(self.folders[0]), kept
