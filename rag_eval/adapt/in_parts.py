"""A batch in parts, whose gradients add up to those of the whole: rows that begin alike together, no more at once than fit the memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import torch

from rag_eval.adapt.labelled import IGNORED, Inputs, LabelledTrainer, n_alike
from rag_eval.adapt.together import gathered

READ = 0.125  # memory of a token whose keys and values alone are held, as a share of one that is computed
PASS = 32  # tokens whose computing takes as long as what a pass takes beside its tokens
WORTH = 0.1  # share of the tokens that must fall away for a batch to be divided by what its rows begin with


class PartwiseTrainer(LabelledTrainer):
    """Takes the steps of a LabelledTrainer with a bounded number of tokens in memory, whatever the rows and their number.

    A loss is a sum over the learned tokens of the whole batch, so it does not matter how rows are dealt out to parts; what balances
    experts is the mean of the parts.
    """

    batch_tokens: int | None = None  # computed at once, padding included; None = a whole batch is

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
        """The numbers of the rows of each part, as many parts in every process."""
        if self.may_share and self.shares is None:
            groups = [taken(inputs, numbers) for numbers in parts_of(inputs, self.batch_tokens, shares=True)]
            self.try_sharing(model, max(groups, key=n_alike), num_items_in_batch)
        parts = parts_of(inputs, self.batch_tokens, shares=bool(self.shares))
        return divided(parts, max(gathered(len(parts))))

    def _taken(self, inputs: Inputs, numbers: Sequence[int]) -> Inputs:
        """These rows of a batch, which is padded or laid end to end."""
        if "attention_mask" in inputs:
            return taken(inputs, numbers)
        rows = {name: torch.split(inputs[name][0], lengths_of(inputs)) for name in ("input_ids", "labels")}
        batch: Inputs = self.data_collator([{name: those[number].tolist() for name, those in rows.items()} for number in numbers])
        return batch


def parts_of(inputs: Inputs, n_tokens: int | None, shares: bool) -> list[list[int]]:
    """The numbers of the rows of each part of a batch.

    Args:
        inputs: a padded batch, or rows laid end to end.
        n_tokens: computed at once, at most; a longer row is a part of its own. None = any number.
        shares: whether what rows begin with is read once for a part.
    """
    lengths = lengths_of(inputs)
    groups = by_beginning(inputs, lengths) if shares else [list(range(len(lengths)))]
    return [part for group in groups for part in _that_fit(group, inputs, lengths, n_tokens, shares)]


def lengths_of(inputs: Inputs) -> list[int]:
    """Tokens of each row of a batch, padding excluded."""
    if "attention_mask" in inputs:
        lengths: list[int] = inputs["attention_mask"].sum(1).tolist()
        return lengths
    starts = (inputs["position_ids"][0] == 0).nonzero().flatten().tolist()
    return [end - first for first, end in zip(starts, [*starts[1:], inputs["position_ids"].shape[1]], strict=True)]


def taken(inputs: Inputs, numbers: Sequence[int]) -> Inputs:
    """These rows of a padded batch, as long as the longest of them."""
    lengths = lengths_of(inputs)
    longest = max(lengths[number] for number in numbers)
    return {name: value[list(numbers)][:, :longest] for name, value in inputs.items()}


def divided(parts: Sequence[list[int]], n: int) -> list[list[int]]:
    """The same rows in n parts, where each had one row at least: the largest are halved."""
    parts = [list(part) for part in parts]
    while len(parts) < n:
        at = max(range(len(parts)), key=lambda at: len(parts[at]))
        half = math.ceil(len(parts[at]) / 2)
        parts[at : at + 1] = [parts[at][:half], parts[at][half:]]
    return parts


def by_beginning(inputs: Inputs, lengths: Sequence[int]) -> list[list[int]]:
    """Groups of rows that are cheaper to read each with its common beginning than all with theirs; one group where little is gained."""
    whole = list(range(len(lengths)))
    if len(whole) < 2:
        return [whole]
    prompts = [tuple(prompt) for prompt in _prompts(inputs)]
    order = sorted(whole, key=lambda number: prompts[number])
    alike = [_n_common(prompts[one], prompts[other]) for one, other in pairwise(order)]
    cost, groups = _cheapest(0, len(order), alike, [lengths[number] for number in order])
    is_worth = len(groups) > 1 and cost <= (1 - WORTH) * _cost(0, len(order), alike, lengths)
    return [[order[at] for at in range(first, end)] for first, end in groups] if is_worth else [whole]


def _prompts(inputs: Inputs) -> Iterator[list[int]]:
    """What stands before the first learned token of each row, its last token excluded, which each row reads for itself."""
    for ids, labels in zip(inputs["input_ids"].tolist(), inputs["labels"].tolist(), strict=True):
        n = next((at for at, label in enumerate(labels) if label != IGNORED), 1)
        yield ids[: max(0, n - 1)]


def _n_common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _cheapest(first: int, end: int, alike: Sequence[int], lengths: Sequence[int]) -> tuple[int, list[tuple[int, int]]]:
    """What the cheapest division of sorted rows costs, and where its groups begin and end."""
    cost = _cost(first, end, alike, lengths)
    if end - first == 1:
        return cost, [(first, end)]
    middle = 1 + min(range(first, end - 1), key=lambda at: alike[at])
    (left, lefts), (right, rights) = _cheapest(first, middle, alike, lengths), _cheapest(middle, end, alike, lengths)
    return (left + right, [*lefts, *rights]) if left + right < cost else (cost, [(first, end)])


def _cost(first: int, end: int, alike: Sequence[int], lengths: Sequence[int]) -> int:
    """Tokens that are computed for a group, its common beginning once."""
    n = min(alike[first : end - 1], default=0)
    return PASS + n + sum(lengths[first:end]) - n * (end - first)


def _that_fit(group: list[int], inputs: Inputs, lengths: Sequence[int], n_tokens: int | None, shares: bool) -> list[list[int]]:
    """The rows of a group in parts of like size, each within the number of tokens."""
    if n_tokens is None:
        return [group]
    n = n_alike(taken(inputs, group)) if shares else 0
    longest = max(lengths[number] for number in group)
    at_once = max(1, int((n_tokens - n) / (longest - n + READ * n)))
    n_parts = math.ceil(len(group) / at_once)
    return [group[len(group) * at // n_parts : len(group) * (at + 1) // n_parts] for at in range(n_parts)]
