"""Of the answers that hold a gold answer, how many equal one."""

from __future__ import annotations

import math

import pytest

from rag_eval.score.form import ENOUGH, share_in_form
from rag_eval.types import Estimate


def mean(value: float, n: int = 100) -> Estimate:
    return Estimate(value, 0.0, 1.0, n, n)


def test_the_share_is_of_the_answers_that_hold_a_gold_one() -> None:
    assert share_in_form([(mean(0.2), mean(0.8))]) == pytest.approx(0.25)
    assert share_in_form([(mean(0.9), mean(0.9))]) == pytest.approx(1.0)


def test_several_arms_are_pooled_by_answers_not_by_arms() -> None:
    assert share_in_form([(mean(0.0, 10), mean(1.0, 10)), (mean(0.9), mean(0.9))]) == pytest.approx(90 / 100)


def test_too_few_answers_tell_nothing() -> None:
    assert share_in_form([(mean(0.0), mean((ENOUGH - 1) / 100))]) is None
    assert share_in_form([(mean(0.0), mean(ENOUGH / 100))]) == 0.0
    assert share_in_form([(None, mean(1.0))]) is None
    assert share_in_form([(mean(1.0), None)]) is None
    assert share_in_form([(mean(math.nan, 0), mean(math.nan, 0))]) is None
    assert share_in_form([]) is None
