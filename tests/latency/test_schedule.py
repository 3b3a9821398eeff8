"""Who is asked when: balanced, by chance, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from rag_eval.latency.schedule import blocks, bucket, interleaved, poisson_arrivals, rounds


def test_shape_buckets_are_powers_of_two() -> None:
    assert [bucket(n) for n in (0, 1, 2, 3, 4, 5, 128, 129)] == [1, 1, 2, 4, 4, 8, 128, 256]


def test_blocks_are_consecutive_and_of_equal_size_but_for_one() -> None:
    assert blocks(7, 3) == [range(0, 2), range(2, 4), range(4, 7)]
    assert blocks(6, 3) == [range(0, 2), range(2, 4), range(4, 6)]
    with pytest.raises(ValueError, match="expected 1 to 2 blocks"):
        blocks(2, 3)


def test_two_arms_go_abba() -> None:
    for seed in range(5):
        first, second, third, fourth = rounds(["a", "b"], 4, seed)
        assert first == fourth
        assert second == third == first[::-1]
    assert len({rounds(["a", "b"], 1, seed)[0] for seed in range(20)}) == 2  # which arm begins is chance


@pytest.mark.parametrize("arms", [["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]])
def test_every_arm_stands_in_every_position_equally_often(arms: list[str]) -> None:
    m = len(arms)
    even = Counter((arm, at) for row in rounds(arms, 10 * 2 * m, 0) for at, arm in enumerate(row))
    assert set(even.values()) == {20}
    for n in range(1, 4 * m):
        counts = Counter((arm, at) for row in rounds(arms, n, 0) for at, arm in enumerate(row))
        times = [counts[arm, at] for arm in arms for at in range(m)]
        assert max(times) - min(times) <= 2


def test_a_linear_drift_falls_on_all_arms_alike() -> None:
    order = [arm for row in rounds(["a", "b", "c"], 12, 3) for arm in row]
    when = {arm: sum(at for at, one in enumerate(order) if one == arm) for arm in "abc"}
    assert when["a"] == when["b"] == when["c"]


def test_every_question_is_asked_of_every_arm_before_the_next() -> None:
    turns = interleaved(["a", "b", "c"], 10, 4, 0)
    assert Counter((turn.question, turn.arm) for turn in turns) == Counter({(q, arm): 1 for q in range(10) for arm in "abc"})
    assert [turn.question for turn in turns] == sorted(turn.question for turn in turns)
    assert Counter(turn.block for turn in turns) == {0: 6, 1: 9, 2: 6, 3: 9}
    assert interleaved(["a", "b", "c"], 10, 4, 0) == turns != interleaved(["a", "b", "c"], 10, 4, 1)


def test_arrivals_are_a_poisson_process() -> None:
    arrivals = poisson_arrivals(4.0, 20_000, 0)
    gaps = [after - before for before, after in pairwise((0.0, *arrivals))]
    assert min(gaps) > 0
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.25, rel=0.02)
    assert sum((gap - mean) ** 2 for gap in gaps) / len(gaps) == pytest.approx(0.25**2, rel=0.05)  # exponential: variance = mean^2
    counts = Counter(int(at) for at in arrivals)
    n = [counts[second] for second in range(int(arrivals[-1]))]
    assert sum((one - 4) ** 2 for one in n) / len(n) == pytest.approx(4, rel=0.05)  # Poisson: variance = mean
    assert poisson_arrivals(4.0, 5, 0) == arrivals[:5] != poisson_arrivals(4.0, 5, 1)
    with pytest.raises(ValueError, match="positive rate"):
        poisson_arrivals(0.0, 5, 0)
