"""Summary of a training, stored with its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rag_eval.adapt.best_on_dev import BestOnDev
from rag_eval.adapt.kept_history import FILE
from rag_eval.adapt.schedule import Schedule
from rag_eval.adapt.until_learned import Asked, UntilLearned

Stopped = Literal["learned", "max_epochs", "epochs", "patience"]


@dataclass(frozen=True)
class History:
    """Size, length and stopping reason of a training; independent of the machine's speed."""

    stopped: Stopped  # learning criterion met; not met after max_epochs; configured epochs done; dev loss did not improve
    n_rows: int
    n_tokens: int  # of the rows, prompts included
    n_learned_tokens: int
    n_steps: int
    kept_step: int  # step of the saved weights: the last, or that with the lowest dev loss
    epochs: float  # epochs trained
    until_learned: float | None  # target share of the sample; None = fixed number of epochs
    n_asked: int  # questions in the sample; 0 = no learning criterion
    curve: Sequence[Asked]

    @classmethod
    def of(cls, trainer: Any, until: UntilLearned, best: BestOnDev, schedule: Schedule) -> History:
        """Summary of a finished training.

        Args:
            trainer: the trainer.
            until: learning criterion.
            best: early stopping.
            schedule: settings of the training.

        Returns:
            The summary.
        """
        state, rows = trainer.state, trainer.train_dataset.select(range(len(trainer.rows)))
        return cls(
            _reason(state, until, schedule),
            len(rows),
            sum(map(len, rows["input_ids"])),
            sum(sum(label >= 0 for label in labels) for labels in rows["labels"]),
            state.global_step,
            state.global_step if best.step is None else best.step,
            round(state.epoch, 6),
            schedule.until_learned if schedule.epochs is None else None,
            len(until.sample),
            tuple(until.curve),
        )

    def write(self, folder: Path) -> None:
        """Write it into the folder of the weights."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def _reason(state: Any, until: UntilLearned, schedule: Schedule) -> Stopped:
    if until.is_learned:
        return "learned"
    if state.global_step < state.max_steps:
        return "patience"
    return "epochs" if schedule.epochs is not None else "max_epochs"
