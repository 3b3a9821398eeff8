"""Summary of a training, taken from its trainer."""

from __future__ import annotations

from typing import Any

from rag_eval.adapt.trainer.early_stopping import EarlyStopping
from rag_eval.adapt.trainer.until_learned import UntilLearned
from rag_eval.adapt.training_config import TrainingConfig
from rag_eval.adapt.training_history import History, Stopped


def history(trainer: Any, until: UntilLearned, best: EarlyStopping, schedule: TrainingConfig) -> History:
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
    return History(
        stopped=_reason(state, until, schedule),
        n_rows=len(rows),
        n_tokens=sum(map(len, rows["input_ids"])),
        n_learned_tokens=sum(sum(label >= 0 for label in labels) for labels in rows["labels"]),
        n_steps=state.global_step,
        kept_step=state.global_step if best.step is None else best.step,
        epochs=round(state.epoch, 6),
        until_learned=schedule.until_learned if schedule.epochs is None else None,
        n_asked=len(until.sample),
        curve=tuple(until.curve),
    )


def _reason(state: Any, until: UntilLearned, schedule: TrainingConfig) -> Stopped:
    if until.is_learned:
        return "learned"
    if state.global_step < state.max_steps:
        return "patience"
    return "epochs" if schedule.epochs is not None else "max_epochs"
