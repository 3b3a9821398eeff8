"""Full fine-tuning of all weights. For small models; the result has the size of the model."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from rag_eval.adapt.trainer.job import Trained, TrainingJob, train
from rag_eval.adapt.training_config import TrainingConfig
from rag_eval.protocols import DECIDES_NOTHING, Cache, Generator, PromptWriter, Trainable, TrainingData
from rag_eval.source import code_sha
from rag_eval.types import Cached, QADataset, TrainingRow, Weights


class Full:
    """Trains all weights on a dataset, or loads them from the cache."""

    weights: Weights = "trained"

    def __init__(
        self,
        cache: Cache,
        data: TrainingData,
        learning_rate: Annotated[float, Field(gt=0, le=1)],
        schedule: Literal["linear", "cosine"],
        warmup_share: Annotated[float, Field(ge=0, lt=1)],
        epochs: PositiveFloat | None,
        until_learned: Annotated[float, Field(gt=0, le=1)],
        max_epochs: PositiveFloat,
        batch_size: PositiveInt,
        batch_tokens: PositiveInt | None,
        precision: Literal["auto", "float32", "bfloat16"],
        gradient_checkpointing: bool,
        packing: bool,
        eval_every: NonNegativeInt,
        patience: NonNegativeInt,
        checkpoint_every: Annotated[NonNegativeInt, DECIDES_NOTHING],
        n_processes: PositiveInt,
        asked_every: PositiveFloat = 1.0,
    ) -> None:
        """Configure the training. Parameters without a description here are those of Lora.

        Args:
            cache: cache of the weights, keyed by everything that determines them.
            data: training data.
            learning_rate: peak learning rate of AdamW; about a tenth of that for LoRA.
            schedule: as for Lora.
            warmup_share: as for Lora.
            epochs: as for Lora.
            until_learned: as for Lora.
            max_epochs: as for Lora.
            batch_size: as for Lora.
            batch_tokens: as for Lora.
            precision: as for Lora.
            gradient_checkpointing: as for Lora.
            packing: as for Lora.
            eval_every: as for Lora.
            patience: as for Lora.
            checkpoint_every: as for Lora.
            n_processes: as for Lora.
            asked_every: as for Lora.
        """
        self.cache, self.data = cache, data
        self._rows: Sequence[TrainingRow] | None = None  # precomputed rows; None = computed from the data
        self._schedule = TrainingConfig(
            learning_rate=learning_rate,
            decay=schedule,
            warmup_share=warmup_share,
            epochs=epochs,
            until_learned=until_learned,
            asked_every=asked_every,
            max_epochs=max_epochs,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            precision=precision,
            gradient_checkpointing=gradient_checkpointing,
            packing=packing,
            eval_every=eval_every,
            patience=patience,
            checkpoint_every=checkpoint_every,
            n_processes=n_processes,
        )

    def with_rows(self, rows: Sequence[TrainingRow]) -> Full:
        """Copy of the adapter that trains on precomputed rows."""
        same = copy(self)
        same._rows = rows
        return same

    def fit(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        kept = train(self.training_job(generator, prompt, dataset, seed), "weights", self.cache, _save)
        return generator.with_adapter(str(kept.path)), kept

    def training_job(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingJob:
        """Training job for a dataset.

        Args:
            generator: the generator to be trained.
            prompt: renders prompts.
            dataset: the dataset.
            seed: seed of rows and training.

        Returns:
            The job.

        Raises:
            DataError: if the dataset lacks the required data, or a row does not fit the model's context.
        """
        return TrainingJob.of(
            generator, prompt, dataset, self.data, self._schedule, seed, lora=None, code=code_sha(__name__), made=self._rows
        )


def _save(trained: Trained, folder: Path) -> None:
    """Write a standard model folder without a tokenizer, which is the base model's."""
    trained.model.save_pretrained(str(folder))
