"""How many times as fast something was is told from blocks in which all took turns, and a target is reached only by the whole interval."""

from __future__ import annotations

import math

import pytest

from experiments.bench.ratios import ratio, verdict
from experiments.bench.real_model import Way, row


def test_a_ratio_is_the_geometric_mean_of_the_blocks_with_students_interval() -> None:
    mean, low, high = ratio([2.0, 8.0], [1.0, 2.0])  # twice and four times
    assert mean == pytest.approx(math.sqrt(8))
    half = 12.7062 * math.log(math.sqrt(2))  # t of one degree of freedom, times the standard error of two logarithms
    assert (low, high) == (
        pytest.approx(math.exp(math.log(mean) - half), rel=1e-3),
        pytest.approx(math.exp(math.log(mean) + half), rel=1e-3),
    )


def test_a_machine_that_slows_down_for_a_whole_block_changes_no_ratio() -> None:
    assert ratio([3.0, 30.0, 6.0], [2.0, 20.0, 4.0]) == pytest.approx((1.5, 1.5, 1.5))


@pytest.mark.parametrize(("low", "high", "said"), [(1.3, 2.0, "met"), (1.2, 2.0, "unclear"), (1.0, 1.29, "NOT met")])
def test_a_target_is_reached_by_the_whole_interval_or_not(low: float, high: float, said: str) -> None:
    assert verdict(1.3, low, high) == said


def test_a_row_tells_speed_over_all_blocks_and_the_share_of_equal_answers() -> None:
    ours = Way("float32", "rag_eval", None, [10.0, 20.0], [15.0, 30.0], [2**30, 2**31], [["a", "b"], ["c", "d"]])
    other = Way("float32", "other", 1.3, [20.0, 40.0], [30.0, 60.0], [2**30, 2**30], [["a", "b"], ["c", "x"]])
    assert row(ours, ours, 2)["questions/s"] == "0.133"  # 4 questions in 30 s
    assert row(ours, ours, 2)["CPU s a question"] == "11.25"
    assert row(ours, ours, 2)["peak GiB"] == "2.00"
    told = row(ours, other, 2)
    assert (told["times as slow"], told["reached"], told["same answers"]) == ("2.00 [2.00, 2.00]", "met", "0.750")
