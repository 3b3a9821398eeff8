"""Batching of prompts by length under a token budget."""

from __future__ import annotations

from collections.abc import Sequence


def plan(lengths: Sequence[int], n_new: int, budget: int, max_rows: int | None = None) -> list[list[int]]:
    """Batches of prompt indices, longest first, with padded size (longest + n_new) x rows within the budget.

    Args:
        lengths: tokens of each prompt.
        n_new: maximum number of generated tokens.
        budget: tokens per batch; a longer prompt is a batch of its own.
        max_rows: maximum number of prompts per batch; None = no limit.

    Returns:
        The batches.
    """
    order = sorted(range(len(lengths)), key=lambda at: (-lengths[at], at))
    batches: list[list[int]] = []
    for at in order:
        rows = batches[-1] if batches else []
        widest = lengths[rows[0]] + n_new if rows else 0
        if rows and (len(rows) + 1) * widest <= budget and (max_rows is None or len(rows) < max_rows):
            rows.append(at)
        else:
            batches.append([at])
    return batches
