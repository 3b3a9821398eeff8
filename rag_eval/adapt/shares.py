"""A trainer for several processes whose steps and losses are those of one: each process is shown its share of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers.trainer_pt_utils import LengthGroupedSampler

from rag_eval.adapt.finite import FiniteTrainer
from rag_eval.adapt.together import n_together, shared
from rag_eval.adapt.training_set import Tokens


class SameOrder(Sampler[int]):
    """The order that the first process draws, in all of them, and then the blank rows that fill up the last batch."""

    def __init__(self, of: Sampler[int], n_rows: int, n_blank: int) -> None:
        self._of, self._n_rows, self._n_blank = of, n_rows, n_blank

    def __iter__(self) -> Iterator[int]:
        yield from shared(list(self._of))
        yield from range(self._n_rows, len(self))

    def __len__(self) -> int:
        return self._n_rows + self._n_blank


class SharingTrainer(FiniteTrainer):
    """Deals every batch out to the processes, which one process would be shown whole.

    The losses of a step are divided by the number of tokens that are learned in the whole batch, so it does not matter how
    they are dealt.
    """

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        n_rows = len(self.rows)
        return SameOrder(self._order(n_rows), n_rows, len(self.train_dataset) - n_rows)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The loss on the dev rows, which every process takes of all of them; the first one's counts."""
        rows, size = self.eval_dataset, self.args.eval_batch_size
        loss = 0.0
        self.model.eval()
        for at, batch in enumerate(DataLoader(rows, size, sampler=self._get_eval_sampler(rows), collate_fn=self.data_collator)):
            of_batch, *_rest = self.prediction_step(self.model, batch, prediction_loss_only=True)
            loss += of_batch.item() * min(size, len(rows) - at * size) / len(rows)
        metrics = {"eval_loss": shared(loss)}
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _order(self, n_rows: int) -> Sampler[int]:
        """As one process would draw it."""
        if self.args.train_sampling_strategy == "sequential":
            return SequentialSampler(range(n_rows))
        lengths = [len(ids) for ids in self.train_dataset["input_ids"][:n_rows]]
        by_length: Sampler[int] = LengthGroupedSampler(self.args.per_device_train_batch_size * n_together(), lengths=lengths)
        return by_length


def filled(rows: list[Tokens], batch_size: int, end: int) -> list[Tokens]:
    """Rows and as many blank ones, of which nothing is learned, as make the last batch a whole one; none for one process."""
    n_blank = -len(rows) % batch_size if n_together() > 1 else 0
    return [*rows, *({"input_ids": [end, end], "labels": [-100, -100]} for _ in range(n_blank))]


def part_randomly(seed: int) -> None:
    """Let each process draw random numbers of its own, the first those that it would draw alone."""
    if n_together() > 1 and torch.distributed.get_rank():
        torch.manual_seed(seed + 1_000_003 * torch.distributed.get_rank())
