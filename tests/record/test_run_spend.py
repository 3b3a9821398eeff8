"""What stages used up: what was metered, what was taken over from earlier work, and what nobody can know is no number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag_eval.cost.meter import MeterReading
from rag_eval.record.run_spend import answering, by_all, by_stage, elsewhere, learning, spent
from rag_eval.types import Cached, Learned, Prediction, Spend

METERED = Spend(seconds=2.0, cpu_seconds=3.0, peak_bytes=7, device_joules=5.0, cpu_joules=1.0)
SAID = Prediction("q", "liver", (), (), (), 0, "", 10, 2, {"search": 1.0, "generate": 3.0}, "answered", "stop")


def kept(folder: Path, **about: Any) -> Cached:
    return Cached(folder, **{"is_hit": True, "seconds": 7.0, **about})


def test_learning_that_kept_nothing_is_what_was_metered() -> None:
    assert learning(METERED, Learned(None, None)) == METERED


def test_what_was_found_adds_the_seconds_that_it_took_and_takes_off_those_of_waiting(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"12345")
    found = learning(METERED, Learned(None, kept(tmp_path, waited_s=0.5)))
    assert (found.seconds, found.reused_s, found.cached, found.stored_bytes) == (8.5, 7.0, True, 5)
    assert (found.cpu_seconds, found.device_joules, found.peak_bytes) == (None, None, 7)  # those of earlier are not known


def test_seconds_that_nobody_knows_are_none(tmp_path: Path) -> None:
    found = learning(METERED, Learned(kept(tmp_path), kept(tmp_path, seconds=None)))
    assert (found.seconds, found.reused_s, found.cached) == (None, None, True)


def test_what_an_interrupted_attempt_took_is_part_of_what_learning_took(tmp_path: Path) -> None:
    resumed = Cached(tmp_path, is_hit=False, seconds=7.0, earlier_s=5.0)
    found = learning(Spend(seconds=2.0, cpu_seconds=2.0), Learned(None, resumed))
    assert (found.seconds, found.reused_s, found.cached, found.cpu_seconds) == (7.0, 5.0, False, None)


def test_every_process_that_trained_held_its_device(tmp_path: Path) -> None:
    spend = replace(METERED, device_seconds=9.0)
    trained = kept(tmp_path, is_hit=False)
    assert by_all(spend, trained, 1) == by_all(spend, None, 3) == spend
    found = by_all(spend, trained, 3)
    assert (found.device_seconds, found.cpu_seconds, found.device_joules) == (23.0, None, None)
    assert by_all(spend, kept(tmp_path, seconds=None), 3).device_seconds is None
    assert by_all(METERED, trained, 3).device_seconds is None


def test_answering_is_the_sum_over_questions_whoever_answered_them() -> None:
    found = answering(METERED, [SAID, SAID], 0.0)
    assert (found.seconds, found.n_prompt_tokens, found.n_output_tokens, found.cpu_seconds) == (8.0, 20, 4, 3.0)
    resumed = answering(METERED, [SAID, SAID], 4.0)
    assert (resumed.seconds, resumed.reused_s) == (8.0, 4.0)
    assert (resumed.cpu_seconds, resumed.cpu_joules, resumed.device_joules) == (None, None, None)


@pytest.mark.parametrize("change", [{"seconds": {}}, {"n_prompt_tokens": None}])
def test_one_answer_that_was_not_measured_leaves_no_sum(change: dict[str, Any]) -> None:
    found = answering(METERED, [SAID, replace(SAID, **change)], 0.0)
    assert (found.seconds is None, found.n_prompt_tokens is None) == ("seconds" in change, "n_prompt_tokens" in change)


def test_of_recorded_answers_nothing_is_of_this_machine() -> None:
    assert elsewhere(replace(METERED, n_output_tokens=4)) == Spend(2.0, n_output_tokens=4)


def test_a_run_is_told_by_stage() -> None:
    readings = {name: MeterReading(METERED) for name in ("learn", "load", "answer", "probe")}
    found = by_stage(readings, Learned(None, None), [SAID], 0.0, n_processes=1)
    assert found == {**spent(readings), "answer": answering(METERED, [SAID], 0.0)}
    assert list(found) == list(readings)
