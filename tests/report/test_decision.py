"""A decision is exact arithmetic on what was measured, names no winner that the intervals do not allow, and says what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_eval.report.decision.candidate import AskedQuestion, Candidate, UtilisedCost
from rag_eval.report.decision.constraints import Constraints
from rag_eval.report.decision.decision import Decision, answer, decide, winner_map
from rag_eval.report.decision.flips import INPUTS, Flip, Input, Sensitivity
from rag_eval.report.decision.outcome import NO_WINNER, confidence_of_pairs, costs_at
from rag_eval.stats.interval import Interval
from rag_eval.types import Estimate
from tests.claims import every, none_of

N = 40  # questions, every two a cluster
ASKED = Constraints(
    queries_per_day=1000.0, updates_per_week=7.0, p95_ms=1000.0, min_accuracy=0.8, utilisation=0.5, horizon_days=100.0
)  # 100,000 questions and 100 updates over the horizon


def machine(usd: float) -> UtilisedCost:
    return UtilisedCost(0.0, usd)


def arm(name: str, question: float | Sequence[float], fixed: float, update: float, **changes: Any) -> Candidate:
    """An arm that is right in 0.9 [0.85, 0.95] and answers in 500 [400, 600] ms; costs are those at utilisation 1."""
    costs = [question] * N if isinstance(question, float) else list(question)
    made = Candidate(
        name,
        {f"q{at}": AskedQuestion(f"c{at // 2}", (float(at % 10 > 0),), machine(usd)) for at, usd in enumerate(costs)},
        Estimate(0.9, 0.85, 0.95, N, N // 2),
        Interval(500.0, 400.0, 600.0, 80, 8),
        machine(fixed),
        machine(update),
        0.0,
    )
    return replace(made, **changes)


def accuracy(low: float, high: float, n_clusters: int = 20) -> Estimate:
    return Estimate((low + high) / 2, low, high, 2 * n_clusters, n_clusters)


def sensitivity(made: Decision, name: Input) -> Sensitivity:
    return next(one for one in made.sensitivities if one.input == name)


RAG = arm("rag", 0.002, 10.0, 0.01)
TUNED = arm("finetune", 0.001, 50.0, 1.0)
NOISY = [0.001 + 0.0002 * (at % 4 - 1.5) for at in range(N)]


def test_arms_that_cost_the_same_but_for_rounding_have_no_winner() -> None:
    for one, other in (
        (arm("a", 0.3, 10.0, 1.0), arm("b", 0.1 + 0.2, 10.0, 1.0)),
        (arm("a", 0.1, 0.3, 1.0), arm("b", 0.1, 0.1 + 0.2, 1.0)),
    ):
        assert answer([one, other], ASKED).kind == "no winner"


def test_costs_are_compared_over_questions_that_are_priced_in_every_arm() -> None:
    unpriced = {f"q{at}": replace(RAG.questions[f"q{at}"], cost=None) for at in range(30, N)}
    some = replace(arm("some", 0.001, 10.0, 0.01), questions={**arm("some", 0.001, 10.0, 0.01).questions, **unpriced})
    dear = arm("late", [0.0009] * 30 + [0.005] * 10, 10.0, 0.01)
    assert answer([some, dear], ASKED).winner == "late"  # the last ten are dear to it, and not known of the other
    costs = costs_at([some, dear], 1.0, 0.95)
    assert [one.query_usd.mean for one in costs.arms.values() if one.query_usd] == pytest.approx([0.001, 0.0009])


def test_retrieval_wins_where_updates_are_dear_to_train() -> None:
    made = decide([RAG, TUNED], ASKED)
    assert made.outcome.text == "rag"
    # At utilisation 0.5: rag 2 (10 + 100 0.01 + 100,000 0.002) = 422, finetune 2 (50 + 100 + 100) = 500 over 2,400 hours.
    months = 2400 / 730
    assert made.assessments[0].usd_per_month.usd == pytest.approx(422 / months)
    assert made.margins[0].name == "finetune"
    assert made.margins[0].usd_per_month.usd == pytest.approx(78 / months)
    assert (made.margins[0].usd_per_month.low, made.margins[0].usd_per_month.high) == pytest.approx((78 / months, 78 / months))


def test_fine_tuning_wins_where_questions_are_many() -> None:
    assert decide([RAG, TUNED], replace(ASKED, queries_per_day=2000.0)).outcome.text == "finetune"


def test_no_winner_where_the_difference_in_cost_may_be_zero() -> None:
    costs = [0.001 + 0.002 * (at % 4 >= 2) for at in range(N)]  # mean 0.002, as rag's, with spread
    made = decide([arm("rag", 0.002, 10.0, 0.0), arm("finetune", costs, 10.0, 0.0)], ASKED)
    assert made.outcome.kind == "no winner"
    assert not made.margins[0].is_dearer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # 40 + 99 = 100,000 (0.001) x: with V updates 40 + 0.99 V = 0.001 Q
        ("queries_per_day", 1390.0),
        ("updates_per_week", 7 / 100 * (100 - 40) / 0.99),
        ("horizon_days", 4000.0),  # 40 / (1 - 0.99) a day
    ],
)
def test_flips_of_linear_costs_are_exact(name: Input, value: float) -> None:
    made = decide([RAG, TUNED], ASKED)
    found = sensitivity(made, name).nearest
    assert found is not None
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.bracket is None
    assert found.outcome.text == "finetune"


def both_sides(arms: Sequence[Candidate], asked: Constraints) -> list[tuple[Input, Flip]]:
    """Re-decide: up to every flip the answer is the same, beyond it the one that was told, and where no flip is told there is none."""
    made = decide(arms, asked)
    flips = []
    for one in made.sensitivities:
        most = 1.0 if one.input in ("min_accuracy", "utilisation") else 1e6 * max(one.now, 1.0)
        for told, end in ((one.below, 1e-3 * one.now), (one.above, most)):
            flip = told[0] if told else None
            last = end if flip is None else flip.value * (1 - 1e-6 if flip.side == "above" else 1 + 1e-6)
            if min(one.now, end) <= last <= max(one.now, end):
                between = [one.now + (last - one.now) * share for share in (1e-6, 0.01, 0.1, 0.5, 0.9, 1.0)]
                assert every(answer(arms, replace(asked, **{one.input: value})) == made.outcome for value in between), (one.input, flip)
            for flip in told:
                flips.append((one.input, flip))
                beyond = {"above": flip.value * (1 + 1e-6), "below": flip.value * (1 - 1e-6), "at": flip.value}[flip.side]
                assert answer(arms, replace(asked, **{one.input: beyond})) == flip.outcome != made.outcome, (one.input, flip)
            for flip in told[1:]:
                before = flip.value * (1 - 1e-6 if flip.side == "above" else 1 + 1e-6)
                assert flip.outcome.winner is not None
                assert answer(arms, replace(asked, **{one.input: before})).winner in (None, made.outcome.winner)
    return flips


def test_up_to_every_flip_the_answer_is_the_same_and_beyond_it_the_one_that_was_told() -> None:
    doubtful = arm("doubtful", NOISY, 5.0, 0.5, accuracy=accuracy(0.7, 0.9))
    slow = arm("slow", 0.0015, 1.0, 0.2, p95_ms=Interval(1000.0, 900.0, 1100.0, 80, 8))
    seen: list[Input] = []
    for arms in ([RAG, TUNED], [RAG, arm("finetune", NOISY, 50.0, 1.0)], [RAG, TUNED, doubtful], [RAG, slow, doubtful, TUNED]):
        for asked in (ASKED, replace(ASKED, queries_per_day=1e5), replace(ASKED, updates_per_week=0.0, min_accuracy=0.9)):
            seen += [name for name, _ in both_sides(arms, asked)]
    assert set(seen) == set(INPUTS) - {"utilisation"}  # where all is time of a machine, it scales every cost alike


def test_a_flip_of_utilisation_is_exact_where_costs_are_linear_in_its_inverse() -> None:
    hosted = arm("hosted", 0.002, 0.0, 0.0)
    paid = {id: replace(one, cost=UtilisedCost(0.004, 0.0)) for id, one in hosted.questions.items()}
    arms = [arm("own", 0.001, 0.0, 0.0), replace(hosted, questions=paid)]
    made = decide(arms, ASKED)
    assert made.outcome.text == "own"  # 0.001 / 0.5 against 0.004
    found = sensitivity(made, "utilisation").nearest
    assert found is not None
    assert (found.value, found.side, found.bracket) == (pytest.approx(0.25), "below", None)
    assert found.outcome.text == "hosted"


def test_where_spread_makes_costs_curved_bisection_says_its_bracket() -> None:
    mixed = arm("mixed", 0.001, 0.0, 0.0)
    parts = [UtilisedCost(0.002 + 0.001 * (at % 4 >= 2), 0.0003 * (at % 8 >= 4)) for at in range(N)]
    mixed = replace(mixed, questions={id: replace(one, cost=parts[at]) for at, (id, one) in enumerate(mixed.questions.items())})
    arms = [arm("own", 0.001, 0.0, 0.0), mixed]
    found = [flip for name, flip in both_sides(arms, replace(ASKED, utilisation=1.0)) if name == "utilisation"]
    assert found
    for flip in found:
        assert flip.bracket is not None
        assert flip.bracket[0] <= flip.value <= flip.bracket[1] < flip.bracket[0] * (1 + 1e-9)


def test_beyond_where_no_winner_is_named_stands_where_another_arm_wins() -> None:
    made = decide([RAG, arm("finetune", NOISY, 50.0, 1.0)], ASKED)
    first, other = sensitivity(made, "queries_per_day").above
    assert (first.outcome.kind, other.outcome.text) == ("no winner", "finetune")
    assert first.value < 1390.0 < other.value  # where they cost the same by the estimate


def test_accuracy_at_its_bound_meets_and_the_flip_is_the_end_of_the_interval() -> None:
    arms = [arm("rag", 0.002, 10.0, 0.01, accuracy=accuracy(0.85, 0.95))]
    assert answer(arms, replace(ASKED, min_accuracy=0.85)).text == "rag"
    assert answer(arms, replace(ASKED, min_accuracy=0.86)).kind == "no winner"
    assert answer(arms, replace(ASKED, min_accuracy=0.96)).kind == "none meets"
    found = sensitivity(decide(arms, ASKED), "min_accuracy").above[0]
    assert (found.value, found.outcome.kind) == (0.85, "no winner")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0.0, 0.01), min_size=N, max_size=N),
    st.floats(0.0, 100.0),
    st.floats(0.0, 2.0),
    st.lists(st.floats(1.0, 1e6), min_size=2, max_size=6),
)
def test_more_questions_never_favour_the_arm_with_the_dearer_question(
    costs: list[float], fixed: float, update: float, loads: list[float]
) -> None:
    other = arm("other", costs, fixed, update)
    saved = costs_at([RAG, other], ASKED.utilisation, confidence_of_pairs([RAG, other])).saving("rag", "other")
    assert saved is not None
    cheap = "other" if saved.mean > 0 else "rag"
    told = [answer([RAG, other], replace(ASKED, queries_per_day=load)).text for load in sorted(loads)]
    order = {"other" if cheap == "rag" else "rag": 0, NO_WINNER: 1, cheap: 2}
    if saved.low > 0 or saved.high < 0:
        assert [order[one] for one in told] == sorted(order[one] for one in told)
    first_cheap = next((at for at, one in enumerate(told) if one == cheap), len(told))
    assert every(one in (cheap, NO_WINNER) for one in told[first_cheap:]) or first_cheap == len(told)


def test_an_interval_on_both_sides_of_a_bound_cannot_be_told() -> None:
    doubtful = arm("finetune", 0.0001, 10.0, 0.01, accuracy=accuracy(0.7, 0.9))
    made = decide([RAG, doubtful], ASKED)
    assert made.assessments[1].word == "cannot be told"
    assert made.outcome.kind == "no winner"  # it is cheaper, if it meets them
    assert decide([RAG, replace(doubtful, fixed=machine(1e6))], ASKED).outcome.text == "rag"  # it is dearer, whether it meets them or not
    slow = replace(doubtful, accuracy=RAG.accuracy, p95_ms=Interval(1000.0, 900.0, 1100.0, 80, 8))
    assert decide([RAG, slow], ASKED).outcome.kind == "no winner"


def test_few_clusters_decide_nothing() -> None:
    few = arm("rag", 0.002, 10.0, 0.01, accuracy=accuracy(0.85, 0.95, n_clusters=9))
    assert decide([few], ASKED).outcome.kind == "no winner"
    assert sensitivity(decide([few], ASKED), "min_accuracy").nearest is None


@pytest.mark.parametrize("changes", [{"p95_ms": None}, {"fixed": None}, {"accuracy": None}, {"update": None}])
def test_what_was_not_measured_is_never_taken_as_free_or_fast(changes: dict[str, Any]) -> None:
    cheap = replace(arm("cheap", 1e-9, 0.0, 0.0), **changes)
    made = decide([RAG, TUNED, cheap], ASKED)
    assert made.assessments[2].word == "not measured"
    assert made.outcome.text == "rag"
    assert none_of(one.name == "cheap" for one in made.margins)
    assert decide([cheap], ASKED).outcome.kind == "not measured"


def test_what_an_update_costs_need_not_be_known_where_there_is_none() -> None:
    arms = [RAG, replace(arm("cheap", 1e-9, 0.0, 0.0), update=None)]
    never = replace(ASKED, updates_per_week=0.0)
    assert answer(arms, never).text == "cheap"
    found = sensitivity(decide(arms, never), "updates_per_week").above[0]
    assert (found.value, found.outcome.text) == (0.0, "rag")
    back = sensitivity(decide(arms, ASKED), "updates_per_week").below[0]
    assert (back.value, back.side, back.outcome.text) == (0.0, "at", "cheap")


def test_none_meets_only_where_every_arm_is_shown_to_fail() -> None:
    bad = arm("bad", 0.001, 0.0, 0.0, accuracy=accuracy(0.1, 0.2))
    slow = arm("slow", 0.001, 0.0, 0.0, p95_ms=Interval(2000.0, 1900.0, 2100.0, 80, 8))
    assert decide([bad, slow], ASKED).outcome.kind == "none meets"
    assert decide([bad, replace(bad, name="also", p95_ms=None)], ASKED).outcome.kind == "none meets"  # fails, whatever its latency
    assert decide([bad, arm("unknown", 0.001, 0.0, 0.0, p95_ms=None)], ASKED).outcome.kind == "not measured"


def test_accuracies_of_arms_that_qualify_are_compared_by_question() -> None:
    better = {id: replace(one, right=(1.0,)) for id, one in TUNED.questions.items()}
    made = decide([RAG, replace(TUNED, questions=better)], ASKED)
    gained = made.margins[0].accuracy
    assert gained is not None
    assert gained.mean == pytest.approx(0.1)
    assert gained.low < 0.1 < gained.high


def test_intervals_of_pairs_hold_for_all_pairs() -> None:
    third = arm("third", NOISY, 20.0, 0.5)
    assert decide([RAG, TUNED], ASKED).confidence == pytest.approx(0.95)
    assert decide([RAG, TUNED, third], ASKED).confidence == pytest.approx(1 - 0.05 / 3)


def test_the_map_is_the_decision_in_every_cell() -> None:
    arms = [RAG, TUNED, arm("doubtful", NOISY, 5.0, 0.5, accuracy=accuracy(0.7, 0.9))]
    queries, updates = (10.0, 1e3, 1e5, 1e7), (0.1, 10.0, 1e3)
    made = winner_map(arms, ASKED, queries, updates)
    for row, n_updates in zip(made.winners, updates, strict=True):
        for cell, n_queries in zip(row, queries, strict=True):
            assert cell == (answer(arms, replace(ASKED, queries_per_day=n_queries, updates_per_week=n_updates)).winner or NO_WINNER)
    assert len({cell for row in made.winners for cell in row}) > 1


@pytest.mark.parametrize(
    "changes",
    [
        {"queries_per_day": 0.0},
        {"updates_per_week": -1.0},
        {"p95_ms": 0.0},
        {"min_accuracy": 1.1},
        {"utilisation": 0.0},
        {"horizon_days": 0.0},
    ],
)
def test_constraints_out_of_range_are_refused_by_name(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        replace(ASKED, **changes)


def test_two_arms_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="different names"):
        decide([RAG, RAG], ASKED)
