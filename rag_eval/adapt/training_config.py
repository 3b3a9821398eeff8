"""Training settings shared by all adapters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rag_eval.errors import ConfigError

Decay = Literal["linear", "cosine"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training, documented in `Lora`."""

    learning_rate: float
    decay: Decay
    warmup_share: float
    epochs: float | None
    until_learned: float
    asked_every: float
    max_epochs: float
    batch_size: int
    batch_tokens: int | None
    precision: Precision
    gradient_checkpointing: bool
    packing: bool
    eval_every: int
    patience: int
    checkpoint_every: int
    n_processes: int

    def __post_init__(self) -> None:
        if self.patience and not self.eval_every:
            raise ConfigError("adapter.patience needs adapter.eval_every: how many steps lie between two losses on the dev questions.")
        if self.batch_size % self.n_processes:
            raise ConfigError(
                f"adapter.batch_size is {self.batch_size}, which {self.n_processes} processes cannot share equally; take a multiple of "
                f"{self.n_processes}."
            )

    @property
    def most_epochs(self) -> float:
        """Maximum number of epochs."""
        return self.max_epochs if self.epochs is None else self.epochs

    def n_steps(self, n_rows: int, epochs: float) -> int:
        """Number of steps of some epochs over n_rows rows, at least one."""
        return max(1, math.ceil(math.ceil(n_rows / self.batch_size) * epochs))

    @property
    def deciding(self) -> Mapping[str, Any]:
        """Settings that determine the resulting weights."""
        others = {"checkpoint_every"} if self.epochs is None else {"checkpoint_every", "until_learned", "asked_every", "max_epochs"}
        return {name: value for name, value in asdict(self).items() if name not in others}
