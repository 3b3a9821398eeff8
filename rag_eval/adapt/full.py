"""Full fine-tuning: every weight of the model is trained. For small models; the result is as large as the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from rag_eval.adapt.training import Lesson, Schedule, Trained, taught
from rag_eval.parts import Cache, Cached, Generator, PromptWriter, Trainable, TrainingData, Weights
from rag_eval.types import QADataset


class Full:
    """Trains all weights on a dataset, or takes them from the cache."""

    weights: Weights = "trained"

    def __init__(
        self,
        cache: Cache,
        data: TrainingData,
        learning_rate: Annotated[float, Field(gt=0, le=1)],
        epochs: PositiveFloat,
        batch_size: PositiveInt,
        precision: Literal["auto", "float32", "bfloat16"],
        gradient_checkpointing: bool,
        packing: bool,
        eval_every: NonNegativeInt,
        patience: NonNegativeInt,
        checkpoint_every: NonNegativeInt,
        n_processes: PositiveInt,
        warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.03,
    ) -> None:
        """
        Args:
            cache: keeps weights by everything that decides them.
            data: what is trained on.
            learning_rate: of AdamW, after warm-up, decaying linearly to 0; about a tenth of that of an adapter.
            epochs: passes over the training rows.
            batch_size: rows a step.
            precision, gradient_checkpointing, packing, eval_every, patience, checkpoint_every, n_processes: as of Lora.
            warmup_share: share of the steps.
        """
        self.cache, self.data = cache, data
        self._schedule = Schedule(
            learning_rate,
            epochs,
            batch_size,
            warmup_share,
            precision,
            gradient_checkpointing,
            packing,
            eval_every,
            patience,
            checkpoint_every,
            n_processes,
        )

    def fit(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        lesson = Lesson.of(generator, prompt, dataset, self.data, self._schedule, seed, lora=None)
        kept = taught(lesson, "weights", self.cache, _save)
        return generator.with_adapter(str(kept.path)), kept


def _save(trained: Trained, folder: Path) -> None:
    """Write a standard model folder without its tokenizer, which is the base model's."""
    trained.model.save_pretrained(str(folder))
