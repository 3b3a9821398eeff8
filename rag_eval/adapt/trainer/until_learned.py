"""Learning criterion: training ends when a sample of training questions is answered with exactly the trained tokens.

A question is learned if greedy decoding would produce the trained tokens including the end token. This is computed by one forward pass
over prompt and answer: each answer token must have the highest logit given the tokens before it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import TrainerCallback

from rag_eval.adapt.data.tokenize import LabelledTokens
from rag_eval.adapt.trainer.completion_loss import IGNORED
from rag_eval.adapt.trainer.micro_batches import parts_of, taken
from rag_eval.adapt.trainer.process_group import broadcast
from rag_eval.adapt.training_config import TrainingConfig
from rag_eval.adapt.training_history import Asked
from rag_eval.errors import DataError
from rag_eval.types import TrainingRow

N_ASKED = 100  # maximum size of the sample
QUESTIONS = ("qa", "raft", "unknown")  # sources of rows that are training questions


def sample_of(rows: Sequence[TrainingRow], seed: int) -> list[list[int]]:
    """Sample of training prompts, each with the indices of its rows, any of whose answers counts.

    Args:
        rows: training rows.
        seed: seed of the sample.

    Returns:
        Row indices of each sampled prompt.

    Raises:
        DataError: if no row is a training question.
    """
    at: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if row.prompt and row.source in QUESTIONS:
            at.setdefault(row.prompt, []).append(number)
    if not at:
        raise DataError(
            "adapter.epochs=null trains until the training questions are learned, but no question is trained on. Set adapter.epochs to "
            "the number of passes, or train on questions (adapter/data=qa)."
        )
    groups = list(at.values())
    return random.Random(f"learned/{seed}").sample(groups, min(N_ASKED, len(groups)))


class UntilLearned(TrainerCallback):  # type: ignore[misc]
    """Evaluates the sample periodically and stops training when enough of it is learned."""

    def __init__(self, schedule: TrainingConfig, rows: Sequence[TrainingRow], seed: int) -> None:
        """Draw the sample.

        Args:
            schedule: target share and interval; no sample is drawn if the number of epochs is fixed.
            rows: training rows.
            seed: seed of the sample.

        Raises:
            DataError: if no row is a training question.
        """
        self.curve: list[Asked] = []
        self.sample = [] if schedule.epochs is not None else sample_of(rows, seed)
        self._wanted, self._every = schedule.until_learned, schedule.n_steps(len(rows), schedule.asked_every)
        self._trainer: Any = None

    def watch(self, trainer: Any) -> None:
        """Set the trainer whose model and rows are evaluated."""
        self._trainer = trainer

    @property
    def is_learned(self) -> bool:
        """Whether the last evaluation reached the target share."""
        return bool(self.curve) and self.curve[-1].share >= self._wanted

    @property
    def numbers(self) -> list[dict[str, Any]]:
        """All evaluations, for JSON."""
        return [asdict(one) for one in self.curve]

    def restore(self, numbers: Sequence[Mapping[str, Any]]) -> None:
        """Restore the evaluations of an interrupted training."""
        self.curve = [Asked(**one) for one in numbers]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.sample and (state.global_step % self._every == 0 or state.global_step == state.max_steps):
            share = broadcast(self._share())
            self.curve.append(Asked(round(state.epoch, 6), state.global_step, share))
            control.should_training_stop = control.should_training_stop or self.is_learned

    def _share(self) -> float:
        """Learned share of the sample."""
        numbers = sorted({number for group in self.sample for number in group})
        rows = dict(zip(numbers, self._trainer.train_dataset.select(numbers), strict=True))
        by_length = sorted(numbers, key=lambda number: len(rows[number]["input_ids"]))
        size = self._trainer.args.per_device_train_batch_size
        said: dict[int, bool] = {}
        for first in range(0, len(by_length), size):
            batch = by_length[first : first + size]
            inputs = padded([rows[number] for number in batch])
            for part in parts_of(inputs, self._trainer.batch_tokens, bool(self._trainer.shares)):
                said |= dict(zip([batch[at] for at in part], self._trainer.says(taken(inputs, part)), strict=True))
        return sum(any(said[number] for number in group) for group in self.sample) / len(self.sample)


def padded(rows: Sequence[LabelledTokens]) -> dict[str, torch.Tensor]:
    """Right-padded input_ids, labels and attention_mask, int64 (rows, tokens) each."""
    ids, labels = ([torch.tensor(row[name]) for row in rows] for name in ("input_ids", "labels"))
    mask = [torch.ones_like(one) for one in ids]
    values = {"input_ids": (ids, 0), "labels": (labels, IGNORED), "attention_mask": (mask, 0)}
    return {name: pad_sequence(those, batch_first=True, padding_value=value) for name, (those, value) in values.items()}
