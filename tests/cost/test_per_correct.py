"""What a right answer costs is a ratio with an interval, or not measured."""

from __future__ import annotations

import math

import pytest

from rag_eval.cost.per_correct import usd_per_correct
from rag_eval.score.metric import RunColumns, metric, of_runs
from rag_eval.stats.ratio import ratio_of_means

CLUSTERS = [f"c{at}" for at in range(6)]
RIGHT = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
USD = [0.2, 0.4, 0.2, 0.4, 0.2, 0.4]


def test_it_is_what_all_answers_cost_over_the_right_ones() -> None:
    found = usd_per_correct(RunColumns(RIGHT, USD, CLUSTERS))
    assert found is not None
    assert found == ratio_of_means(USD, RIGHT, CLUSTERS)
    assert found.value == pytest.approx(1.8 / 4)
    assert found.low < 1.8 / 4 < found.high


def test_without_a_price_it_is_not_measured_and_never_0() -> None:
    assert usd_per_correct(RunColumns(RIGHT, [math.nan] * 6, CLUSTERS)) is None
    some = usd_per_correct(RunColumns(RIGHT, [*USD[:4], math.nan, math.nan], CLUSTERS))
    assert some is not None
    assert (some.value, some.n) == (pytest.approx(1.2 / 3), 4)  # of the questions that have one


def test_without_a_right_answer_there_is_no_number() -> None:
    found = usd_per_correct(RunColumns([0.0] * 6, USD, CLUSTERS))
    assert found is not None
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_it_declares_that_less_is_better_and_that_reports_compute_it() -> None:
    target = "rag_eval.cost.per_correct.usd_per_correct"
    declared = of_runs({"usd_per_correct": target})["cost/usd_per_correct"]
    assert (declared.better, declared.bounds, declared.function) == ("lower", None, target)
    assert metric(target).is_of_runs
