"""Costs over a horizon, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rag_eval.cost.arm import Amount, ArmCost, cost_per_correct, cost_per_query, mean_usd, total_cost
from rag_eval.types import Estimate

ARM = ArmCost("rag", 10.0, 2.0, Estimate(0.03, 0.02, 0.04, 50, 50), 0.5, 0.8)


def near(usd: float, low: float, high: float) -> Amount:
    return Amount(pytest.approx(usd), pytest.approx(low), pytest.approx(high))


def test_a_total_is_preparation_updates_questions_and_storage() -> None:
    # 10 + 3 * 2 + 1000 * 0.03 + 0.5 * 8
    assert total_cost(ARM, hours=8, n_queries=1000, n_updates=3) == near(50.0, 40.0, 60.0)
    assert cost_per_query(ARM, hours=8, n_queries=1000, n_updates=3) == near(0.05, 0.04, 0.06)
    assert cost_per_correct(ARM, hours=8, n_queries=1000, n_updates=3) == near(0.0625, 0.05, 0.075)
    assert total_cost(ARM, hours=0, n_queries=0, n_updates=0) == near(10.0, 10.0, 10.0)


def test_what_is_missing_is_named_and_what_comes_0_times_is_not_missed() -> None:
    empty = ArmCost("rag", None, None, None, None, None)
    assert total_cost(empty, hours=1, n_queries=1, n_updates=1) == Amount(
        None, reason="rag: all before the first question, rag: an update, rag: storage, rag: a question"
    )
    assert cost_per_query(empty, hours=0, n_queries=1, n_updates=0).reason == "rag: all before the first question, rag: a question"
    assert (
        cost_per_correct(empty, hours=0, n_queries=1, n_updates=0).reason
        == "rag: all before the first question, rag: a question, rag: the share of right answers"
    )
    without = replace(ARM, update_usd=None, storage_usd_per_hour=None)
    assert total_cost(without, hours=0, n_queries=100, n_updates=0).usd == pytest.approx(13.0)


def test_an_arm_that_is_never_right_has_no_price_of_a_right_answer() -> None:
    assert cost_per_correct(replace(ARM, accuracy=0.0), hours=1, n_queries=1, n_updates=0) == Amount(
        None, reason="rag gives no right answer"
    )


@pytest.mark.parametrize("horizon", [{"hours": -1}, {"n_queries": -1}, {"n_updates": -1}, {"hours": math.inf}, {"n_updates": math.nan}])
def test_a_horizon_is_finite_and_not_negative(horizon: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(horizon))):
        total_cost(ARM, **{"hours": 1, "n_queries": 1, "n_updates": 1, **horizon})


def test_without_a_question_there_is_no_cost_of_one() -> None:
    with pytest.raises(ValueError, match="n_queries"):
        cost_per_query(ARM, hours=1, n_queries=0, n_updates=0)


@pytest.mark.parametrize(
    "wrong", [{"fixed_usd": -1.0}, {"update_usd": math.inf}, {"query_usd": Estimate(-1.0, -2.0, 0.0, 9, 9)}, {"accuracy": 1.1}]
)
def test_a_cost_is_finite_and_not_negative_and_an_accuracy_a_share(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"rag.{next(iter(wrong))}"):
        replace(ARM, **wrong)  # type: ignore[arg-type]


def test_equal_costs_are_known_exactly_and_others_by_their_spread() -> None:
    equal = mean_usd([0.1 + 0.2, 0.3, math.nan], ["a", "b", "b"])
    assert equal is not None
    assert (equal.low, equal.mean, equal.high, equal.n, equal.n_clusters) == (equal.mean, pytest.approx(0.3), equal.mean, 2, 2)
    assert mean_usd([2.0, 2.0], ["a", "a"]) == Estimate(2.0, 2.0, 2.0, 2, 1)
    assert mean_usd([1.0, 2.0], ["a", "a"]) is None  # how clusters differ is not known
    spread = mean_usd([1.0, 2.0, 3.0], ["a", "b", "c"])
    assert spread is not None
    assert spread.low < 2.0 < spread.high
    alike = mean_usd([1.0, 3.0] * 4, ["a", "a", "b", "b", "c", "c", "d", "d"])  # clusters of one mean, questions that differ
    assert alike is not None
    assert math.isnan(alike.low)
    assert mean_usd([math.nan], ["a"]) is None
