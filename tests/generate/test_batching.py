"""Batches hold prompts of similar length, every prompt once, within the budget."""

from __future__ import annotations

import random

from rag_eval.generate.batching import plan
from tests.claims import every


def test_a_small_plan_by_hand() -> None:
    # Longest first; (10 + 2) x 2 = 24 fits in 25, three would not; then (4 + 2) x 3 = 18 fits.
    assert plan([4, 10, 3, 9, 2], n_new=2, budget=25) == [[1, 3], [0, 2, 4]]


def test_every_prompt_stands_in_one_batch_and_the_budget_holds() -> None:
    lengths = [random.Random(7).randint(1, 400) for _ in range(300)]
    batches = plan(lengths, n_new=16, budget=2_000)
    assert sorted(at for rows in batches for at in rows) == list(range(300))
    assert every(len(rows) * (max(lengths[at] for at in rows) + 16) <= 2_000 for rows in batches)


def test_a_prompt_over_the_budget_gets_a_batch_of_its_own() -> None:
    assert plan([500, 5], n_new=1, budget=100) == [[0], [1]]


def test_rows_are_limited_where_memory_was_short() -> None:
    assert [len(rows) for rows in plan([5] * 7, n_new=1, budget=1_000, max_rows=3)] == [3, 3, 1]
