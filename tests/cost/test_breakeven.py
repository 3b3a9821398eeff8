"""Turning points by hand, in every case of signs; a difference that may be 0 makes an interval without an end."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rag_eval.cost.arm import ArmCost, total_cost
from rag_eval.cost.breakeven import BreakEven, break_even_queries, indifference_error_price, maximum_updates
from rag_eval.stats.estimate import estimate
from rag_eval.stats.ratio import ratio_of_means
from rag_eval.types import Estimate


def usd(mean: float, half: float = 0.0) -> Estimate:
    return Estimate(mean, mean - half, mean + half, 100, 100)


def arm(name: str, fixed: float, query: float, update: float = 0.0, storage: float = 0.0, accuracy: float = 0.5) -> ArmCost:
    return ArmCost(name, fixed, update, usd(query), storage, accuracy)


def queries(first: ArmCost, second: ArmCost, hours: float = 0, n_updates: float = 0) -> BreakEven:
    return break_even_queries(first, second, hours=hours, n_updates=n_updates)


def updates(first: ArmCost, second: ArmCost, hours: float = 0, n_queries: float = 1024) -> BreakEven:
    return maximum_updates(first, second, hours=hours, n_queries=n_queries)


def errors(first: ArmCost, second: ArmCost) -> BreakEven:
    return indifference_error_price(first, second, hours=0, n_queries=100, n_updates=0)


RAG = arm("rag", fixed=10.0, query=0.03)


def test_questions_pay_back_preparation_updates_and_storage() -> None:
    tuned = arm("finetune", fixed=50.0, query=0.02)
    assert queries(RAG, tuned).value == pytest.approx(4_000)  # 40 / 0.01
    dearer = replace(tuned, update_usd=6.0, storage_usd_per_hour=0.5)
    assert queries(RAG, dearer, hours=20, n_updates=5).value == pytest.approx(8_000)  # (40 + 5 * 6 + 20 * 0.5) / 0.01


@pytest.mark.parametrize(
    ("fixed", "query", "verdict", "value", "reason"),
    [
        (50.0, 0.02, "from", 4_000, "finetune is dearer to prepare and cheaper a question"),
        (10.0, 0.02, "always", None, "finetune pays from the first question"),
        (5.0, 0.02, "always", None, "finetune pays from the first question"),
        (5.0, 0.03, "always", None, "finetune pays from the first question"),
        (5.0, 0.04, "until", 500, "finetune is cheaper to prepare and dearer a question"),
        (10.0, 0.03, "never", None, "a question is no cheaper with finetune"),
        (50.0, 0.03, "never", None, "a question is no cheaper with finetune"),
        (10.0, 0.04, "never", None, "a question is no cheaper with finetune"),
        (50.0, 0.04, "never", None, "a question is no cheaper with finetune"),
    ],
)
def test_every_case_of_questions(fixed: float, query: float, verdict: str, value: float | None, reason: str) -> None:
    found = queries(RAG, arm("finetune", fixed, query))
    assert (found.verdict, found.value) == (verdict, None if value is None else pytest.approx(value))
    assert found.reason.startswith(reason)


def test_exchanging_the_arms_exchanges_from_and_until() -> None:
    tuned = arm("finetune", fixed=50.0, query=0.02)
    assert (queries(RAG, tuned).verdict, queries(tuned, RAG).verdict) == ("from", "until")
    assert queries(tuned, RAG).value == pytest.approx(4_000)


@pytest.mark.parametrize(
    ("fixed", "saving", "verdict", "low", "high"),
    [
        (50.0, (0.01, 0.008, 0.02), "from", 2_000, 5_000),
        (50.0, (0.01, 0.0, 0.02), "from", 2_000, math.inf),
        (50.0, (0.01, -0.01, 0.02), "from", 2_000, math.inf),
        (50.0, (-0.01, -0.02, 0.02), "never", 2_000, math.inf),
        (50.0, (-0.01, -0.02, -0.005), "never", None, None),
        (5.0, (0.01, 0.005, 0.02), "always", None, None),
        (5.0, (0.01, -0.005, 0.02), "always", 1_000, math.inf),
        (5.0, (-0.01, -0.02, -0.005), "until", 250, 1_000),
        (5.0, (-0.01, -0.02, 0.001), "until", 250, math.inf),
    ],
)
def test_the_interval_is_unbounded_where_the_saving_may_be_0(
    fixed: float, saving: tuple[float, float, float], verdict: str, low: float | None, high: float | None
) -> None:
    found = break_even_queries(RAG, arm("finetune", fixed, 0.02), hours=0, n_updates=0, saving=Estimate(*saving, 100, 100))
    assert found.verdict == verdict
    assert (found.low, found.high) == (None if low is None else pytest.approx(low), None if high is None else pytest.approx(high))


def test_with_an_exact_numerator_the_interval_is_fiellers() -> None:
    savings = [0.004, 0.013, 0.009, 0.012, 0.007, 0.015, 0.011, 0.009]
    clusters = ["a", "a", "b", "b", "c", "c", "d", "d"]
    saving, ratio = estimate(savings, clusters, binary=False, bounds=None), ratio_of_means([40.0] * 8, savings, clusters)
    assert ratio is not None
    found = break_even_queries(RAG, arm("finetune", 50.0, 0.02), hours=0, n_updates=0, saving=saving)
    assert (found.value, found.low, found.high) == (pytest.approx(4_000), pytest.approx(ratio.low), pytest.approx(ratio.high))


def test_without_paired_questions_the_ends_come_from_both_intervals() -> None:
    rag, tuned = replace(RAG, query_usd=usd(0.03, 0.001)), replace(arm("finetune", 50.0, 0.02), query_usd=usd(0.02, 0.001))
    found = queries(rag, tuned)
    assert (found.low, found.high) == (pytest.approx(40 / 0.012), pytest.approx(40 / 0.008))


# 1024 questions, each 1/64 usd cheaper: 16 usd, without rounding
DEAR, CHEAP = arm("rag", fixed=10.0, query=1 / 32), 1 / 64


@pytest.mark.parametrize(
    ("fixed", "update", "verdict", "value"),
    [
        (12.0, 4.0, "until", 3.5),  # (16 - 2) / 4
        (26.0, 4.0, "never", None),  # the questions only just pay the preparation
        (50.0, 4.0, "never", None),
        (12.0, 0.0, "always", None),
        (26.0, 0.0, "never", None),
    ],
)
def test_every_case_of_updates_that_are_no_cheaper(fixed: float, update: float, verdict: str, value: float | None) -> None:
    found = updates(DEAR, arm("finetune", fixed, CHEAP, update))
    assert (found.verdict, found.value) == (verdict, value)


@pytest.mark.parametrize(("fixed", "verdict", "value"), [(12.0, "always", None), (26.0, "always", None), (50.0, "from", 6.0)])
def test_every_case_of_updates_that_are_cheaper(fixed: float, verdict: str, value: float | None) -> None:
    found = updates(replace(DEAR, update_usd=4.0), arm("finetune", fixed, CHEAP))
    assert (found.verdict, found.value) == (verdict, value)


def test_storage_is_paid_before_updates() -> None:
    tuned = arm("finetune", fixed=12.0, query=CHEAP, update=4.0, storage=0.25)
    assert updates(DEAR, tuned, hours=40).value == 1  # (16 - 2 - 40 * 0.25) / 4


def test_the_interval_of_updates_is_cut_at_0_and_has_two_ends() -> None:
    tuned = arm("finetune", 12.0, CHEAP, update=4.0)
    wide = maximum_updates(DEAR, tuned, hours=0, n_queries=1024, saving=Estimate(1 / 64, 0.001, 1 / 32, 9, 9))
    assert (wide.verdict, wide.low, wide.high) == ("until", 0, 7.5)
    cheaper = maximum_updates(
        replace(DEAR, update_usd=4.0), arm("finetune", 50.0, CHEAP), hours=0, n_queries=1024, saving=usd(1 / 64, 1 / 256)
    )
    assert (cheaper.verdict, cheaper.low, cheaper.high) == ("from", 5.0, 7.0)


@pytest.mark.parametrize(
    ("fixed", "accuracy", "verdict", "value"),
    [
        (30.0, 0.9, "from", 0.5),  # 20 / (100 * 0.4)
        (10.0, 0.9, "always", None),
        (5.0, 0.9, "always", None),
        (5.0, 0.5, "always", None),
        (5.0, 0.25, "until", 0.2),  # -5 / (100 * -0.25)
        (10.0, 0.5, "never", None),
        (30.0, 0.5, "never", None),
        (10.0, 0.25, "never", None),
        (30.0, 0.25, "never", None),
    ],
)
def test_every_case_of_the_price_of_an_error(fixed: float, accuracy: float, verdict: str, value: float | None) -> None:
    found = errors(RAG, arm("finetune", fixed, 0.03, accuracy=accuracy))
    assert (found.verdict, found.value) == (verdict, None if value is None else pytest.approx(value))
    assert (found.low, found.high) == (None, None)


def test_who_is_dearer_and_no_better_is_dominated() -> None:
    assert errors(RAG, arm("finetune", 5.0, 0.03, accuracy=0.9)).reason == "finetune dominates rag"
    assert errors(RAG, arm("finetune", 30.0, 0.03, accuracy=0.25)).reason == "finetune is neither cheaper nor more often right"


def test_what_is_missing_is_named() -> None:
    empty = ArmCost("finetune", None, None, None, None, None)
    assert queries(RAG, empty, hours=1, n_updates=1) == BreakEven(
        "NOT MEASURED", reason="finetune: all before the first question, finetune: an update, finetune: storage, finetune: a question"
    )
    assert updates(RAG, empty).reason == "finetune: all before the first question, finetune: an update, finetune: a question"
    assert (
        errors(empty, RAG).reason == "finetune: all before the first question, finetune: a question, finetune: the share of right answers"
    )
    assert errors(RAG, replace(RAG, name="b", accuracy=None)) == BreakEven("NOT MEASURED", reason="b: the share of right answers")


def test_paired_questions_replace_the_costs_of_a_question_that_were_not_measured() -> None:
    first, second = replace(RAG, query_usd=None), replace(arm("finetune", 50.0, 0.02), query_usd=None)
    assert break_even_queries(first, second, hours=0, n_updates=0, saving=usd(0.01)).value == pytest.approx(4_000)
    assert break_even_queries(first, second, hours=0, n_updates=0).reason == "rag: a question, finetune: a question"
    unknown = replace(second, fixed_usd=None)
    assert break_even_queries(first, unknown, hours=0, n_updates=0, saving=usd(0.01)).reason == "finetune: all before the first question"


def test_a_horizon_is_not_negative_and_an_error_needs_a_question() -> None:
    with pytest.raises(ValueError, match="n_updates"):
        queries(RAG, RAG, n_updates=-1)
    with pytest.raises(ValueError, match="n_queries"):
        updates(RAG, RAG, n_queries=-1)
    with pytest.raises(ValueError, match="n_queries"):
        indifference_error_price(RAG, RAG, hours=0, n_queries=0, n_updates=0)


def test_at_the_turning_point_both_arms_cost_the_same() -> None:
    rag = arm("rag", 7.0, 0.041, update=0.3, storage=0.02)
    tuned = arm("finetune", 90.0, 0.017, update=2.6, storage=0.001)
    n_queries = queries(rag, tuned, hours=50, n_updates=4).value
    assert n_queries is not None
    both = [total_cost(one, hours=50, n_queries=n_queries, n_updates=4).usd for one in (rag, tuned)]
    assert both[0] == pytest.approx(both[1])
    assert updates(rag, tuned, hours=50, n_queries=n_queries).value == pytest.approx(4)
