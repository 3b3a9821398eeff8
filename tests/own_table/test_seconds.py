"""The arithmetic of a plan: from a few measured seconds to a sum with an interval."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from rag_eval.cost.prices import PriceSheet
from rag_eval.own_table.plan import in_session, plan_table, planned
from rag_eval.own_table.probed import BARE, READING, Probed, Training
from rag_eval.own_table.seconds import Seconds, of_samples, summed
from rag_eval.report.claims.timed import Size

SHEET = PriceSheet("sheet", dt.date(2026, 1, 1), "a test", 0.0, cpu_usd_per_hour=3600.0, assumed_watts=0.0)


def probed_with(trainings: tuple[Training, ...] = (), step_s: tuple[float, ...] = ()) -> Probed:
    asked = {BARE: ((1.0, 1.0, 1.0),), READING: ((2.0, 2.0, 2.0),)}
    return Probed(
        "cpu", asked, n_forms=3, n_form_questions=10, indexed_s=(0.5, 0.5, 0.5), n_documents=8, step_s=step_s, trainings=trainings
    )


def test_the_interval_of_three_seconds_is_students() -> None:
    found = of_samples([(1.0, 2.0, 3.0)])
    assert found.mean == 2.0
    assert found.high == pytest.approx(2.0 + 4.303 / math.sqrt(3), abs=1e-3)  # t of 2 degrees of freedom times s / sqrt(n)


def test_no_time_is_expected_to_be_below_zero() -> None:
    assert of_samples([(1.0, 2.0, 3.0)]).low == 0.0


def test_a_single_measurement_bounds_nothing() -> None:
    assert of_samples([(2.0,)]) == Seconds(2.0, 0.0, math.inf)


def test_of_several_ways_the_interval_reaches_from_the_lowest_to_the_highest_end() -> None:
    assert of_samples([(1.0, 1.0, 1.0), (3.0, 3.0, 3.0)]) == Seconds(2.0, 1.0, 3.0)


def test_nothing_measured_is_no_time() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        of_samples([])


def test_the_ends_of_a_sum_are_the_sums_of_the_ends() -> None:
    assert summed([Seconds(2.0, 1.0, 4.0), Seconds(3.0, 2.0, 5.0)]) == Seconds(5.0, 3.0, 9.0)


def test_an_open_number_of_pieces_widens_the_interval() -> None:
    assert Seconds(2.0, 1.0, 4.0).times(1, 5, 10) == Seconds(10.0, 1.0, 40.0)


def test_none_of_what_has_no_upper_end_takes_no_time() -> None:
    assert of_samples([(2.0,)]).each(0) == Seconds(0.0, 0.0, 0.0)


def test_a_training_of_known_length_takes_its_steps() -> None:
    training = Training(("finetune",), n_rows=20, batch_size=8, epochs=2.0, max_epochs=2.0)
    (piece,) = [one for one in planned({}, probed_with((training,), (1.0, 1.0)), SHEET, 1.0).pieces if "training" in one.name]
    assert piece.seconds == Seconds(6.0, 6.0, 6.0)  # two passes of three steps


def test_a_training_that_ends_when_it_has_learned_takes_from_one_pass_to_the_most() -> None:
    training = Training(("finetune",), n_rows=8, batch_size=8, epochs=None, max_epochs=30.0)
    (piece,) = [one for one in planned({}, probed_with((training,), (3.0, 3.0)), SHEET, 1.0).pieces if "training" in one.name]
    assert piece.seconds is not None
    assert (piece.seconds.low, piece.seconds.high) == (pytest.approx(4.0), pytest.approx(120.0))  # a step and a third, for the sample


def test_a_training_whose_steps_could_not_be_timed_is_named_and_in_no_sum() -> None:
    training = Training(("finetune",), n_rows=20, batch_size=8, epochs=2.0, max_epochs=2.0)
    plan = planned({}, probed_with((training,)), SHEET, 1.0)
    assert "how long training of finetune will take is not known" in plan.sentence
    assert plan.total == Seconds(64.0, 4.0, 64.0)  # the form of the prompt, of nothing to 30 questions, and eight documents


def test_the_cost_is_that_of_the_machine_at_its_utilisation() -> None:
    plan = planned({}, probed_with(), SHEET, 0.5)
    assert plan.usd(10.0) == 20.0  # a dollar a second, of a machine that works half of the time
    assert "USD of machine time by the sheet sheet at utilisation 0.5" in plan.sentence


def test_a_cost_without_an_upper_end_is_not_called_unmeasured() -> None:
    sentence = planned({}, replace(probed_with(), indexed_s=(0.5,)), SHEET, 1.0).sentence
    assert "not bounded] USD" in sentence
    assert "not measured" not in sentence


def test_a_plan_has_a_line_for_each_piece() -> None:
    assert [row[0] for row in plan_table(planned({}, probed_with(), SHEET, 1.0)).rows] == ["form of the prompt", "index"]


def arms(*names: str) -> dict[str, Any]:
    """Arms of which only the kind matters."""
    return {name: SimpleNamespace(has_passages=name.startswith("rag")) for name in names}


def test_both_sides_are_timed_whatever_that_takes_and_others_where_they_are_cheap() -> None:
    asked = {BARE: Seconds(0.1, 0.1, 0.1), READING: Seconds(9.0, 9.0, 9.0)}
    found = in_session(arms("closed_book", "rag", "rag_format", "finetune"), asked, Size(80, 10))
    assert found == ("rag", "finetune", "closed_book")


def test_arms_that_are_cheap_alone_are_left_out_where_they_are_not_together() -> None:
    asked = {BARE: Seconds(0.4, 0.4, 0.4), READING: Seconds(9.0, 9.0, 9.0)}
    assert in_session(arms("closed_book", "few_shot", "finetune"), asked, Size(80, 10)) == ("finetune", "closed_book")  # 40 s each


def test_of_a_single_question_no_latency_is_measured() -> None:
    assert in_session(arms("rag", "finetune"), {READING: Seconds(1.0, 1.0, 1.0)}, Size(1, 1)) == ()
