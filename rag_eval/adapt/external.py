"""Adapters trained elsewhere: standard PEFT folders, checked before they are loaded."""

from __future__ import annotations

from pathlib import Path

from rag_eval.adapt.adapter_base import check_fits
from rag_eval.adapt.adapter_files import check_safe
from rag_eval.errors import ConfigError
from rag_eval.protocols import Generator, PromptWriter, Trainable
from rag_eval.types import Cached, QADataset, Weights


class ExternalAdapter:
    """Uses the adapter of a folder, or one of several selected by each question's meta; nothing is trained."""

    weights: Weights = "trained"

    def __init__(self, path: str | None = None, paths: dict[str, str] | None = None, by: str | None = None) -> None:
        """Check the folders.

        Args:
            path: folder with adapter_config.json and adapter_model.safetensors.
            paths: instead of `path`, several folders by adapter name.
            by: key of a question's meta that contains the adapter's name.

        Raises:
            ConfigError: unless either `path`, or `paths` and `by`, are set.
            DataError: if a folder is not a LoRA adapter that is safe to load.
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
        """Load the adapters; their training cost is unknown.

        Args:
            generator: generator with the base model.
            prompt: not used.
            dataset: not used.
            seed: not used.

        Returns:
            The generator with the adapter or adapters, and their folders.

        Raises:
            DataError: if an adapter was trained for another model.
        """
        base_model = str(generator.identity()["base_model"])
        for folder in self.folders:
            check_fits(folder, generator.model, generator.revision, base_model)
        kept = Cached.together([Cached(Path(folder), is_hit=True, seconds=None) for folder in self.folders])
        if self.paths and self.by:
            return generator.with_adapters(self.paths, self.by), kept
        return generator.with_adapter(self.folders[0]), kept
