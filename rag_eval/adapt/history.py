"""How a training went, kept beside the weights that came out of it."""

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
    """What a training took and why it ended; nothing of it depends on the machine's speed."""

    stopped: Stopped  # enough was learned, or not after all passes; the passes that were set were over; dev loss rose
    n_rows: int
    n_tokens: int  # of the rows, prompts included
    n_learned_tokens: int
    n_steps: int
    kept_step: int  # whose weights were kept: the last, or the one with the least dev loss
    epochs: float  # passes over the rows
    until_learned: float | None  # share of the sample that was to be learned; None = the number of passes was set
    n_asked: int  # questions of the sample; 0 = none was asked
    curve: Sequence[Asked]

    @classmethod
    def of(cls, trainer: Any, until: UntilLearned, best: BestOnDev, schedule: Schedule) -> History:
        """The history of a training that has ended."""
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
        """Keep it with the weights."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def _reason(state: Any, until: UntilLearned, schedule: Schedule) -> Stopped:
    if until.is_learned:
        return "learned"
    if state.global_step < state.max_steps:
        return "patience"
    return "epochs" if schedule.epochs is not None else "max_epochs"
