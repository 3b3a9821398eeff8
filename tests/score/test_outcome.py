import math

import pytest

from rag_eval.score.answer import em
from rag_eval.score.outcome import FOUR, check_sum, four_outcome, outcome_row
from rag_eval.types import Example, Grading, Outcome, Prediction


def said(text: str, outcome: Outcome = "answered") -> Prediction:
    return Prediction("q7", text, (), (), (), 0, "", 1, 1, {}, outcome, "stop")


def asked(answer: str = "Rome", format: str = "") -> Example:
    return Example(id="q7", question="?", answers=(answer,), grading=Grading(format=format))


UNANSWERABLE = Example(id="u", question="?", answers=())
CASES = [
    (said("Rome"), asked(), "right"),
    (said("Oslo"), asked(), "wrong"),
    (said("unknown", "abstained"), asked(), "abstained"),
    (said("Unknown.", "abstained"), asked("unknown"), "right"),  # it is the answer
    (said("", "malformed"), asked(), "malformed"),
    (said(" \n"), asked(), "malformed"),
    (said("Rome", "error"), asked(), "malformed"),
    (said("Oslo"), asked(format="json"), "malformed"),
    (said('"Oslo"'), asked(format="json"), "wrong"),
    (said("Rome"), asked(format="json"), "right"),  # right whatever its form, so that shares agree with the score
    (said("unknown", "abstained"), asked(format="json"), "abstained"),
]


@pytest.mark.parametrize(("prediction", "example", "expected"), CASES)
def test_a_question_ends_in_one_of_four_ways(prediction: Prediction, example: Example, expected: str) -> None:
    assert four_outcome(prediction, example, em(prediction, example)) == expected


def test_half_right_is_wrong() -> None:
    assert four_outcome(said("Rome and Oslo"), asked(), 0.5) == "wrong"


@pytest.mark.parametrize(
    ("text", "outcome", "reliability", "coverage", "selective"),
    [
        ("Rome", "answered", 1.0, 1.0, 1.0),
        ("Oslo", "answered", -1.0, 1.0, 0.0),
        ("unknown", "abstained", 0.0, 0.0, math.nan),
        ("", "malformed", 0.0, 0.0, math.nan),
    ],
)
def test_abstaining_is_better_than_being_wrong(text: str, outcome: Outcome, reliability: float, coverage: float, selective: float) -> None:
    row = outcome_row(said(text, outcome), asked(), em(said(text, outcome), asked()))
    derived = {"answer/reliability": reliability, "answer/coverage": coverage, "answer/selective_accuracy": selective}
    assert {name: row[name] for name in derived} == pytest.approx(derived, nan_ok=True)


def test_shares_of_the_four_sum_to_1_and_the_right_ones_are_the_score() -> None:
    rows = [outcome_row(prediction, example, em(prediction, example)) for prediction, example, _ in CASES]
    check_sum(rows)
    shares = {name: sum(row[f"outcome/{name}"] for row in rows) for name in FOUR}
    assert shares == {"right": 3, "wrong": 2, "abstained": 2, "malformed": 4}
    assert shares["right"] == sum(em(prediction, example) for prediction, example, _ in CASES)


def test_a_question_counted_twice_or_not_at_all_is_noticed() -> None:
    once = {"outcome/right": 1.0, "outcome/wrong": 0.0, "outcome/abstained": 0.0, "outcome/malformed": 0.0}
    check_sum([once, once])
    check_sum([])
    with pytest.raises(ValueError, match="row 1 of 2 has 2 outcomes"):
        check_sum([once, once | {"outcome/wrong": 1.0}])
    with pytest.raises(ValueError, match="row 0 of 2 has 0 outcomes"):  # the next row would make up for it in the sum
        check_sum([{}, once | {"outcome/wrong": 1.0}])
    with pytest.raises(ValueError, match="row 0 of 1 has nan outcomes"):
        check_sum([once | {"outcome/right": math.nan}])


def test_unanswerable_questions_have_no_outcome() -> None:
    assert outcome_row(said("unknown", "abstained"), UNANSWERABLE, math.nan) == {}
    with pytest.raises(ValueError, match="u: an outcome needs an answerable question"):
        four_outcome(said("unknown", "abstained"), UNANSWERABLE, 1.0)


def test_an_answerable_question_must_have_been_judged() -> None:
    with pytest.raises(ValueError, match=r"q7: an outcome needs .* a score but got score nan"):
        outcome_row(said("Rome"), asked(), math.nan)
