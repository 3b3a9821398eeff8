"""Training until the training questions are learned: a sample of them is asked as training goes on, in the words that are trained.

A question is learned when greedy decoding would answer it in the very tokens that were taught, the end token included. That is
read off one pass over prompt and answer: each of these tokens must be the likeliest after those before it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import TrainerCallback

from rag_eval.adapt.in_parts import parts_of, taken
from rag_eval.adapt.kept_history import Asked
from rag_eval.adapt.labelled import IGNORED
from rag_eval.adapt.schedule import Schedule
from rag_eval.adapt.together import shared
from rag_eval.adapt.training_set import Tokens
from rag_eval.errors import DataError
from rag_eval.parts import Row

N_ASKED = 100  # training questions, at most
QUESTIONS = ("qa", "raft", "unknown")  # sources of rows that are training questions


def sample_of(rows: Sequence[Row], seed: int) -> list[list[int]]:
    """Which rows hold the questions that are asked: a sample of prompts, for each the numbers of its rows, any of which may be said.

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
    """Asks the sample every so many passes over the rows and ends the training when enough of it is learned."""

    def __init__(self, schedule: Schedule, rows: Sequence[Row], seed: int) -> None:
        """
        Args:
            schedule: says how much is enough and how often it is asked; nothing is where it sets the number of passes.
            rows: what is trained on.
            seed: of the sample.

        Raises:
            DataError: if no row is a training question.
        """
        self.curve: list[Asked] = []
        self.sample = [] if schedule.epochs is not None else sample_of(rows, seed)
        self._wanted, self._every = schedule.until_learned, schedule.n_steps(len(rows), schedule.asked_every)
        self._trainer: Any = None

    def watch(self, trainer: Any) -> None:
        """Ask the model of this trainer, about the rows that it trains on."""
        self._trainer = trainer

    @property
    def is_learned(self) -> bool:
        """Whether enough of the sample was learned when it was last asked."""
        return bool(self.curve) and self.curve[-1].share >= self._wanted

    @property
    def numbers(self) -> list[dict[str, Any]]:
        """Everything that was found, for JSON."""
        return [asdict(one) for one in self.curve]

    def restore(self, numbers: Sequence[Mapping[str, Any]]) -> None:
        """Go on from what an earlier attempt found."""
        self.curve = [Asked(**one) for one in numbers]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.sample and (state.global_step % self._every == 0 or state.global_step == state.max_steps):
            share = shared(self._share())
            self.curve.append(Asked(round(state.epoch, 6), state.global_step, share))
            control.should_training_stop = control.should_training_stop or self.is_learned

    def _share(self) -> float:
        """Of the sample, in tokens as they are trained on."""
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


def padded(rows: Sequence[Tokens]) -> dict[str, torch.Tensor]:
    """int64 (rows, tokens) each: input_ids, labels and attention_mask, padded on the right."""
    ids, labels = ([torch.tensor(row[name]) for row in rows] for name in ("input_ids", "labels"))
    mask = [torch.ones_like(one) for one in ids]
    values = {"input_ids": (ids, 0), "labels": (labels, IGNORED), "attention_mask": (mask, 0)}
    return {name: pad_sequence(those, batch_first=True, padding_value=value) for name, (those, value) in values.items()}
