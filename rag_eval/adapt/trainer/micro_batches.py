"""Gradient accumulation over parts of a batch: rows with a common prefix together, within a token limit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import torch

from rag_eval.adapt.trainer.completion_loss import IGNORED, CompletionTrainer, Inputs, n_alike
from rag_eval.adapt.trainer.process_group import all_gather
from rag_eval.models.common_prefix import n_common

READ = 0.125  # memory of a token with only keys and values stored, relative to a computed token
PASS = 32  # overhead of a forward pass, in tokens
WORTH = 0.1  # minimum share of tokens saved for a batch to be split by common prefixes


class MicroBatchTrainer(CompletionTrainer):
    """CompletionTrainer with a bounded number of tokens in memory, independent of rows and batch size.

    The loss is a sum over the learned tokens of the whole batch, so it does not depend on the division into parts; the load-balancing loss
    of experts is the mean over parts.
    """

    batch_tokens: int | None = None  # tokens per forward pass, including padding; None = the whole batch

    def training_step(self, model: Any, inputs: Inputs, num_items_in_batch: Any = None) -> torch.Tensor:
        parts = self._parts(model, inputs, num_items_in_batch)
        if len(parts) == 1:
            whole: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
            return whole
        self.current_gradient_accumulation_steps: int = len(parts)
        loss = torch.zeros((), device=self.args.device)
        for at, numbers in enumerate(parts, start=1):
            with self.accelerator.no_sync(model) if at < len(parts) else nullcontext():
                loss += super().training_step(model, self._taken(inputs, numbers), num_items_in_batch)
        self.current_gradient_accumulation_steps = 1
        return loss

    def _parts(self, model: Any, inputs: Inputs, num_items_in_batch: Any) -> list[list[int]]:
        """Row indices of each part; the number of parts is the same in all processes."""
        if self.may_share and self.shares is None:
            groups = [taken(inputs, numbers) for numbers in parts_of(inputs, self.batch_tokens, shares=True)]
            self.try_sharing(model, max(groups, key=n_alike), num_items_in_batch)
        parts = parts_of(inputs, self.batch_tokens, shares=bool(self.shares))
        return divided(parts, max(all_gather(len(parts))))

    def _taken(self, inputs: Inputs, numbers: Sequence[int]) -> Inputs:
        """Selected rows of a padded or packed batch."""
        if "attention_mask" in inputs:
            return taken(inputs, numbers)
        rows = {name: torch.split(inputs[name][0], lengths_of(inputs)) for name in ("input_ids", "labels")}
        batch: Inputs = self.data_collator([{name: those[number].tolist() for name, those in rows.items()} for number in numbers])
        return batch


def parts_of(inputs: Inputs, n_tokens: int | None, shares: bool) -> list[list[int]]:
    """Division of a batch into parts.

    Args:
        inputs: a padded or packed batch.
        n_tokens: maximum tokens per part; a longer row is a part of its own. None = no limit.
        shares: whether the common prefix of a part is computed once.

    Returns:
        Row indices of each part.
    """
    lengths = lengths_of(inputs)
    groups = by_beginning(inputs, lengths) if shares else [list(range(len(lengths)))]
    return [part for group in groups for part in _that_fit(group, inputs, lengths, n_tokens, shares)]


def lengths_of(inputs: Inputs) -> list[int]:
    """Number of tokens of each row of a batch, without padding."""
    if "attention_mask" in inputs:
        lengths: list[int] = inputs["attention_mask"].sum(1).tolist()
        return lengths
    starts = (inputs["position_ids"][0] == 0).nonzero().flatten().tolist()
    return [end - first for first, end in zip(starts, [*starts[1:], inputs["position_ids"].shape[1]], strict=True)]


def taken(inputs: Inputs, numbers: Sequence[int]) -> Inputs:
    """Selected rows of a padded batch, cut to the longest of them."""
    lengths = lengths_of(inputs)
    longest = max(lengths[number] for number in numbers)
    return {name: value[list(numbers)][:, :longest] for name, value in inputs.items()}


def divided(parts: Sequence[list[int]], n: int) -> list[list[int]]:
    """The rows in n parts, by halving the largest parts."""
    parts = [list(part) for part in parts]
    while len(parts) < n:
        at = max(range(len(parts)), key=lambda at: len(parts[at]))
        half = math.ceil(len(parts[at]) / 2)
        parts[at : at + 1] = [parts[at][:half], parts[at][half:]]
    return parts


def by_beginning(inputs: Inputs, lengths: Sequence[int]) -> list[list[int]]:
    """Groups of rows for which computing one common prefix per group is cheapest; a single group if little is saved."""
    whole = list(range(len(lengths)))
    if len(whole) < 2:
        return [whole]
    prompts = [tuple(prompt) for prompt in _prompts(inputs)]
    order = sorted(whole, key=lambda number: prompts[number])
    alike = [n_common(prompts[one], prompts[other]) for one, other in pairwise(order)]
    cost, groups = _cheapest(0, len(order), alike, [lengths[number] for number in order])
    is_worth = len(groups) > 1 and cost <= (1 - WORTH) * _cost(0, len(order), alike, lengths)
    return [[order[at] for at in range(first, end)] for first, end in groups] if is_worth else [whole]


def _prompts(inputs: Inputs) -> Iterator[list[int]]:
    """Tokens before the first learned token of each row, without the last of them, which each row computes itself."""
    for ids, labels in zip(inputs["input_ids"].tolist(), inputs["labels"].tolist(), strict=True):
        n = next((at for at, label in enumerate(labels) if label != IGNORED), 1)
        yield ids[: max(0, n - 1)]


def _cheapest(first: int, end: int, alike: Sequence[int], lengths: Sequence[int]) -> tuple[int, list[tuple[int, int]]]:
    """Cost of the cheapest division of sorted rows, and the bounds of its groups."""
    cost = _cost(first, end, alike, lengths)
    if end - first == 1:
        return cost, [(first, end)]
    middle = 1 + min(range(first, end - 1), key=lambda at: alike[at])
    (left, lefts), (right, rights) = _cheapest(first, middle, alike, lengths), _cheapest(middle, end, alike, lengths)
    return (left + right, [*lefts, *rights]) if left + right < cost else (cost, [(first, end)])


def _cost(first: int, end: int, alike: Sequence[int], lengths: Sequence[int]) -> int:
    """Tokens computed for a group, with its common prefix once."""
    n = min(alike[first : end - 1], default=0)
    return PASS + n + sum(lengths[first:end]) - n * (end - first)


def _that_fit(group: list[int], inputs: Inputs, lengths: Sequence[int], n_tokens: int | None, shares: bool) -> list[list[int]]:
    """Rows of a group in parts of similar size, each within the token limit."""
    if n_tokens is None:
        return [group]
    n = n_alike(taken(inputs, group)) if shares else 0
    longest = max(lengths[number] for number in group)
    at_once = max(1, int((n_tokens - n) / (longest - n + READ * n)))
    n_parts = math.ceil(len(group) / at_once)
    return [group[len(group) * at // n_parts : len(group) * (at + 1) // n_parts] for at in range(n_parts)]
