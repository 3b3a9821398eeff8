import math

import pytest

from rag_eval.score.choice import choice_joint, choice_per_byte, choice_sum, choice_text
from rag_eval.types import Example, Grading, Likelihood, Outcome, Prediction

CITIES = ["Oslo", "Paris", "Nuuk, in Greenland"]
BY_LIKELIHOOD = [choice_sum, choice_per_byte, choice_joint]


def asked(*answers: str, choices: list[str] = CITIES) -> Example:
    return Example(id="q7", question="?", answers=answers, grading=Grading(choices=tuple(choices)))


def said(*likelihoods: tuple[float, float], text: str = "", outcome: Outcome = "answered", choices: list[str] = CITIES) -> Prediction:
    measured = tuple(Likelihood(option, *pair) for option, pair in zip(choices, likelihoods, strict=False))
    return Prediction("q7", text, (), (), (), 0, "", 1, 1, {}, outcome, "stop", measured)


# -4 / 4 bytes = -1, -3 / 5 = -0.6, -9 / 18 = -0.5: each way of ranking has a winner of its own.
MODEL = said((-4.0, -20.0), (-3.0, -21.0), (-9.0, -22.0))


@pytest.mark.parametrize(
    ("metric", "winner"),
    [(choice_sum, "Paris"), (choice_per_byte, "Nuuk, in Greenland"), (choice_joint, "Oslo")],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_the_three_ways_rank_by_sum_by_bytes_and_by_the_whole_text(metric, winner: str) -> None:  # type: ignore[no-untyped-def]
    assert {option: metric(MODEL, asked(option)) for option in CITIES} == {option: float(option == winner) for option in CITIES}


def test_bytes_are_those_of_utf_8() -> None:
    choices = ["éé", "abc"]  # 4 and 3 bytes, 2 and 3 characters
    model = said((-3.6, 0.0), (-3.0, 0.0), choices=choices)
    assert choice_per_byte(model, asked("éé", choices=choices)) == 1.0  # -0.9 a byte, against -1


def test_any_gold_answer_is_right() -> None:
    assert choice_sum(MODEL, asked("Oslo", "Paris")) == 1.0


@pytest.mark.parametrize(("answers", "credit"), [(["Oslo"], 0.5), (["Oslo", "Paris"], 1.0), (["Nuuk, in Greenland"], 0.0)])
def test_a_tie_earns_the_share_of_the_tied_that_is_right(answers: list[str], credit: float) -> None:
    assert choice_sum(said((-1.0, 0.0), (-1.0, 0.0), (-2.0, 0.0)), asked(*answers)) == credit


def test_impossible_options_can_tie() -> None:
    assert choice_sum(said(*[(-math.inf, 0.0)] * 3), asked("Oslo")) == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", BY_LIKELIHOOD)
def test_what_was_not_measured_is_not_a_zero(metric) -> None:  # type: ignore[no-untyped-def]
    assert math.isnan(metric(said(), asked("Oslo")))
    assert math.isnan(metric(MODEL, asked()))
    assert math.isnan(metric(MODEL, Example(id="q", question="?", answers=("Oslo",))))


@pytest.mark.parametrize("metric", BY_LIKELIHOOD)
def test_likelihoods_of_other_options_or_in_another_order_are_refused(metric) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="q7: likelihoods must be of the choices"):
        metric(MODEL, asked("Oslo", choices=CITIES[::-1]))
    with pytest.raises(ValueError, match="q7: likelihoods must be of the choices"):
        metric(said((-1.0, -1.0)), asked("Oslo"))
    with pytest.raises(ValueError, match="is nan"):
        metric(said((math.nan, math.nan), (-1.0, -1.0), (-1.0, -1.0)), asked("Oslo"))


def test_the_answers_text_is_read_as_an_option() -> None:
    assert choice_text(said(text="B. Paris"), asked("Paris")) == 1.0
    assert choice_text(said(text="Oslo"), asked("Paris")) == 0.0
    assert choice_text(said(text="Paris", outcome="error"), asked("Paris")) == 0.0
    assert math.isnan(choice_text(said(text="Paris"), asked()))
    assert math.isnan(choice_text(said(text="Paris"), Example(id="q", question="?", answers=("Paris",))))


def test_gold_that_is_no_option_is_refused() -> None:
    for metric in (*BY_LIKELIHOOD, choice_text):
        with pytest.raises(ValueError, match="'Rome' must be one of its choices"):
            metric(MODEL, asked("Rome"))
