"""What a plan times stands for the whole: rows, documents and questions of every length."""

from __future__ import annotations

from rag_eval.own_table.probe import rows_to_time, spread
from rag_eval.types import TrainingRow


def test_what_is_spread_comes_from_all_over_the_order() -> None:
    assert spread(range(100), 4) == [0, 25, 50, 75]
    assert spread(range(2), 4) == [0, 1]


def test_timed_rows_are_a_batch_of_the_longest_and_then_some_of_every_length() -> None:
    """A trainer that groups by length begins with the longest, so that the first steps of all rows would tell too long a time."""
    rows = [TrainingRow("x" * n, "") for n in range(1, 1001)]
    lengths = [len(one.prompt) for one in rows_to_time(rows, batch_size=2, n_steps=5)]
    assert lengths[:2] == [1000, 999]
    timed = lengths[2:]
    assert len(timed) == 10
    assert abs(sum(timed) / len(timed) - 500.5) < 10


def test_few_rows_are_all_timed() -> None:
    rows = [TrainingRow("x" * n, "") for n in range(1, 10)]
    assert rows_to_time(rows, batch_size=8, n_steps=5) == rows[::-1]
