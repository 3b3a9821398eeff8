"""The row on computational cost: its numbers are those of hand-made runs, computed by hand in seconds of one machine."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from experiments.table import computational_cost
from experiments.table.computational_cost import (
    break_even_over_utilisations,
    curves,
    few_questions_in_all,
    retrieval_share,
    right_answer_is_dearer,
    training_by_indexing,
    tuned_question_is_cheaper,
    updates_borne,
    upfront,
)
from experiments.table.index_sizes import BUILDING, Building
from experiments.table.presets import PRESETS
from rag_eval.report.claims import costs
from rag_eval.report.claims.claim import Missing, Number, Results
from rag_eval.score.primary import EM
from tests.claims import every
from tests.experiments.table_results import pooled, results, run

RAG_S = (0.3, 0.3, 0.5, 0.5)  # a question: 0.4 on average
TUNED_S = (0.1, 0.1, 0.3, 0.3)  # 0.2 on average, so that each question saves 0.2
BUILT = Building((0.1, 0.3), 72)


def found(root: Path, tuned_s: tuple[float, ...] = TUNED_S, right: tuple[float, ...] = (1.0, 0.0, 1.0, 0.0)) -> Results:
    """rag, right three times of four, learned in 1 s, updated in 0.05 s; a model trained in 100 s, right every other time."""
    stages = [{"embed": 0.05, "search": 0.05, "generate": seconds - 0.1} for seconds in RAG_S]
    rag = run(root, "rag", (1.0, 1.0, 1.0, 0.0), stages, learn_s=1.0, update_s=0.05)
    tuned = run(root, "finetune", right, [{"generate": seconds} for seconds in tuned_s], learn_s=100.0, is_trained=True)
    return results(pooled({"rag": [rag], "finetune": [tuned]}), {BUILDING: BUILT})


def number(measured: Number | Missing) -> Number:
    assert isinstance(measured, Number), measured
    return measured


def test_a_question_of_twice_the_seconds_costs_twice_as_much(tmp_path: Path) -> None:
    one = number(tuned_question_is_cheaper(found(tmp_path), ""))
    assert (one.mean, one.n, one.n_clusters) == (pytest.approx(2.0), 4, 2)
    # y - 2 x is 0.1, 0.1, -0.1, -0.1, so the mean has the standard error 0.1 by clusters and 0.1155 / 2 by questions
    assert one.design_effect == pytest.approx(3.0)


def test_fine_tuning_pays_from_its_dearer_preparation_by_its_saving_on(tmp_path: Path) -> None:
    one = number(break_even_over_utilisations(found(tmp_path), ""))
    assert [one.mean, one.low, one.high] == pytest.approx([99 / 0.2] * 3)  # every question saves the same


def test_the_break_even_holds_those_of_all_utilisations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = {0.1: Number(90.0, 80.0, 99.0, 4), 0.5: Number(100.0, 95.0, 105.0, 4), 1.0: Number(101.0, 96.0, 140.0, 4)}
    monkeypatch.setattr(computational_cost, "_priced", lambda _, utilisation: (utilisation, None))
    monkeypatch.setattr(costs, "pays_from", lambda utilisation, _: at[utilisation])
    one = number(break_even_over_utilisations(results(), ""))
    assert (one.mean, one.low, one.high) == (100.0, 80.0, 140.0)


def test_fine_tuning_that_saves_nothing_never_pays(tmp_path: Path) -> None:
    one = number(break_even_over_utilisations(found(tmp_path, tuned_s=tuple(seconds + 0.1 for seconds in RAG_S)), ""))
    assert (one.mean, one.low, one.high) == (math.inf, math.inf, math.inf)


def test_fine_tuning_that_is_cheaper_to_prepare_and_dearer_a_question_pays_from_no_number_on(tmp_path: Path) -> None:
    dear = tuple(seconds + 0.1 for seconds in RAG_S)
    stages = [{"generate": seconds} for seconds in RAG_S]
    rag = run(tmp_path, "rag", (1.0,) * 4, stages, learn_s=100.0, update_s=0.05)
    tuned = run(tmp_path, "finetune", (1.0,) * 4, [{"generate": seconds} for seconds in dear], learn_s=1.0, is_trained=True)
    one = number(break_even_over_utilisations(results(pooled({"rag": [rag], "finetune": [tuned]}), {BUILDING: BUILT}), ""))
    assert (one.mean, one.low, one.high) == (math.inf, math.inf, math.inf)


def test_where_the_saving_may_be_nothing_the_break_even_has_no_upper_end(tmp_path: Path) -> None:
    one = number(break_even_over_utilisations(found(tmp_path, tuned_s=(0.1, 0.1, 0.6, 0.6)), ""))
    assert one.mean == pytest.approx(99 / 0.05)
    assert 0 < one.low < one.mean < one.high == math.inf


def test_what_comes_before_the_first_question_is_told_in_questions(tmp_path: Path) -> None:
    assert number(upfront(found(tmp_path), "")).mean == pytest.approx((100 + 2) / 0.2)


def test_the_savings_of_a_month_pay_for_so_many_retrainings(tmp_path: Path) -> None:
    one = number(updates_borne(found(tmp_path), ""))
    assert one.mean == pytest.approx((100_000 * 0.2 - 99) / (100 - 0.05))


def test_without_a_saving_not_one_retraining_is_borne(tmp_path: Path) -> None:
    one = number(updates_borne(found(tmp_path, tuned_s=tuple(seconds + 0.1 for seconds in RAG_S)), ""))
    assert (one.mean, one.low, one.high) == (0.0, 0.0, 0.0)


def test_training_is_compared_with_indexing_over_repetitions(tmp_path: Path) -> None:
    one = number(training_by_indexing(found(tmp_path), ""))
    assert (one.mean, one.n, one.n_clusters) == (pytest.approx(100 / 0.2), 2, None)


def test_a_month_of_few_questions_counts_what_comes_before_them(tmp_path: Path) -> None:
    one = number(few_questions_in_all(found(tmp_path), ""))
    assert one.mean == pytest.approx((3 / 10_000 + 0.4) / (102 / 10_000 + 0.2))


def test_the_retrieval_step_has_its_share_of_a_question(tmp_path: Path) -> None:
    assert number(retrieval_share(found(tmp_path), "")).mean == pytest.approx(0.1 / 0.4)


def test_the_cost_of_a_right_answer_is_that_of_a_question_by_how_many_are_right(tmp_path: Path) -> None:
    one = number(right_answer_is_dearer(found(tmp_path), EM))
    assert one.mean == pytest.approx((3 / 100_000 + 0.4) / (102 / 100_000 + 0.2) / 0.75 * 0.5)
    assert one.low < one.mean < one.high
    assert one.low_90 is not None
    assert one.low < one.low_90


def test_an_arm_without_a_right_answer_has_no_price_of_one(tmp_path: Path) -> None:
    assert isinstance(right_answer_is_dearer(found(tmp_path, right=(0.0,) * 4), EM), Missing)


def test_the_curve_crosses_at_the_break_even(tmp_path: Path) -> None:
    (curve,) = curves(PRESETS["ci"], found(tmp_path))
    rag, tuned = curve.series["rag"], curve.series["finetune"]
    assert [a.mean < b.mean for a, b in zip(rag, tuned, strict=True)] == [True] + [False] * 5  # 100 questions, then 1,000 and more
    assert every(point.x == pytest.approx(495) for point in curve.series["break-even with its 95 % interval"])


def test_without_runs_there_is_no_curve() -> None:
    assert curves(PRESETS["ci"], results()) == []
