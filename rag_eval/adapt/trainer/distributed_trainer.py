"""Data-parallel trainer with the same steps and losses as a single process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers.trainer_pt_utils import LengthGroupedSampler

from rag_eval.adapt.data.tokenize import LabelledTokens
from rag_eval.adapt.trainer.divergence_check import FiniteTrainer
from rag_eval.adapt.trainer.process_group import broadcast, world_size


class SameOrder(Sampler[int]):
    """Sampler with the order drawn by rank 0, followed by the blank rows that complete the last batch.

    Args:
        of: sampler over the rows.
        n_rows: number of rows.
        n_blank: number of blank rows.
    """

    def __init__(self, of: Sampler[int], n_rows: int, n_blank: int) -> None:
        self._of, self._n_rows, self._n_blank = of, n_rows, n_blank

    def __iter__(self) -> Iterator[int]:
        yield from broadcast(list(self._of))
        yield from range(self._n_rows, len(self))

    def __len__(self) -> int:
        return self._n_rows + self._n_blank


class DistributedTrainer(FiniteTrainer):
    """Distributes every batch of a single process over all processes.

    The loss of a step is divided by the number of learned tokens in the whole batch, so it does not depend on the distribution.
    """

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        n_rows = len(self.rows)
        return SameOrder(self._order(n_rows), n_rows, len(self.train_dataset) - n_rows)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Loss on all dev rows, computed in every process; that of rank 0 is used."""
        rows, size = self.eval_dataset, self.args.eval_batch_size
        loss = 0.0
        self.model.eval()
        for at, batch in enumerate(DataLoader(rows, size, sampler=self._get_eval_sampler(rows), collate_fn=self.data_collator)):
            of_batch, *_rest = self.prediction_step(self.model, batch, prediction_loss_only=True)
            loss += of_batch.item() * min(size, len(rows) - at * size) / len(rows)
        metrics = {"eval_loss": broadcast(loss)}
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _order(self, n_rows: int) -> Sampler[int]:
        """Order of a single process."""
        if self.args.train_sampling_strategy == "sequential":
            return SequentialSampler(range(n_rows))
        lengths = [len(ids) for ids in self.train_dataset["input_ids"][:n_rows]]
        by_length: Sampler[int] = LengthGroupedSampler(self.args.per_device_train_batch_size * world_size(), lengths=lengths)
        return by_length


def filled(rows: list[LabelledTokens], batch_size: int, end: int) -> list[LabelledTokens]:
    """Append blank rows, without learned tokens, to complete the last batch; none for a single process.

    Args:
        rows: tokenized rows.
        batch_size: rows per step over all processes.
        end: end token, used in blank rows.

    Returns:
        The rows.
    """
    n_blank = -len(rows) % batch_size if world_size() > 1 else 0
    return [*rows, *({"input_ids": [end, end], "labels": [-100, -100]} for _ in range(n_blank))]


def part_randomly(seed: int) -> None:
    """Give each process its own random state; that of rank 0 is unchanged."""
    if world_size() > 1 and torch.distributed.get_rank():
        torch.manual_seed(seed + 1_000_003 * torch.distributed.get_rank())
