from __future__ import annotations

import json
import math
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.record.load import read_run
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.run_record import RunRecord
from rag_eval.record.serialize import from_line, to_line
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Prediction, Spend
from tests.record.samples import ESTIMATES, FACTS, SPENDS, prediction

SPAWN = multiprocessing.get_context("spawn")
Make = Callable[[str], RunDirectory]


@given(st.text(st.characters(codec="utf-8")), st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_a_prediction_comes_back_exactly(text: str, scores: list[float]) -> None:
    one = prediction("q", text=text, retrieved_scores=tuple(scores))
    back = from_line(Prediction, to_line(one).encode())
    assert back == one
    assert isinstance(back.retrieved, tuple)
    assert "\n" not in to_line(one)


def test_a_number_that_is_not_finite_is_never_written() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        to_line(prediction("q", seconds={"search": math.inf}))


def test_a_finished_run_is_read_back_as_it_was_written(finished: Make) -> None:
    run = finished("abc123")
    record = RunDirectory(run.path).finished()
    assert record is not None
    assert (record.status, record.mode, record.run_id, record.experiment) == ("FINISHED", "rag", "abc123", "study")
    assert record.facts == FACTS
    assert record.spends == SPENDS
    assert record.estimates["answer/em"] == ESTIMATES["answer/em"]
    assert math.isnan(record.estimates["answer/f1"].mean)
    assert list(RunDirectory(run.path).predictions()) == ["q1", "q2"]
    assert json.loads((run.path / "run.json").read_text())["estimates"]["answer/f1"]["mean"] is None
    assert [json.loads(line)["answer/em"] for line in (run.path / "scores.jsonl").read_text().splitlines()] == [1.0, None]


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\r\n"])
def test_what_else_separates_lines_in_unicode_may_stand_in_any_text_of_a_finished_run(tmp_path: Path, separator: str) -> None:
    text = f"Article{separator}A"
    written = write_run(tmp_path, "abc", "rag", [{"answer/em": 1.0, "cluster": text, "kind": text}], predictions={"q0": {"text": text}})
    read = read_run(written.folder)
    assert (read.questions["q0"].cluster, read.questions["q0"].strata["kind"], read.predictions["q0"].text) == (text, text, text)


@pytest.mark.parametrize("name", ["config.yaml", "predictions.jsonl", "scores.jsonl", "run.json", "manifest.json"])
def test_a_run_with_any_file_tampered_is_not_finished(finished: Make, name: str) -> None:
    run = finished("abc123")
    text = (run.path / name).read_text()
    at = text.index("3") if "3" in text else text.index("1")
    (run.path / name).write_text(f"{text[:at]}2{text[at + 1 :]}")
    assert run.finished() is None


def test_a_finished_run_that_is_begun_again_is_not_finished(finished: Make, caplog: pytest.LogCaptureFixture) -> None:
    run = finished("abc")
    run.begin("", FACTS)
    assert run.finished() is None
    assert list(run.predictions()) == ["q1", "q2"]
    assert not caplog.records  # nothing is wrong with it


def test_what_every_attempt_spent_is_kept_also_of_one_that_finished_and_lost_its_manifest(finished: Make) -> None:
    run = finished("abc")
    run.begin("", FACTS)
    run.end("FAILED", "no memory", {"answer": Spend(2.0)})
    run.begin("", FACTS)
    run.finish([], {"answer": Spend(3.0)}, ESTIMATES, FACTS)
    (run.path / "manifest.json").unlink()
    run.begin("", FACTS)
    record = run.finish([], {"answer": Spend(4.0, reused_s=3.0)}, ESTIMATES, FACTS)
    assert record.attempts == (SPENDS, {"answer": Spend(2.0)}, {"answer": Spend(3.0)})


def test_a_run_that_failed_or_runs_is_not_finished(tmp_path: Path) -> None:
    run = RunDirectory.open(tmp_path, "study", "abc")
    assert run.finished() is None
    assert run.record() is None
    run.begin("", FACTS)
    assert run.finished() is None
    assert (running := run.record()) is not None
    assert running.status == "RUNNING"
    run.end("KILLED", "interrupted")
    record = RunDirectory(run.path).record()
    assert record is not None
    assert (record.status, record.error) == ("KILLED", "interrupted")
    assert run.finished() is None


def _answer_and_die(path: str) -> None:
    run = RunDirectory(Path(path))
    run.begin("", FACTS)
    run.append([prediction("q1"), prediction("q2")])
    run.append([prediction("q3")])
    os._exit(7)


def test_what_was_answered_before_a_hard_death_is_kept_and_the_run_goes_on(tmp_path: Path) -> None:
    run = RunDirectory.open(tmp_path, "study", "abc")
    child = SPAWN.Process(target=_answer_and_die, args=(str(run.path),))
    child.start()
    child.join(60)
    assert child.exitcode == 7
    journal = run.path / "predictions.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])  # the last line was cut
    assert list(run.predictions()) == ["q1", "q2"]

    run.begin("", FACTS)
    run.append([prediction("q3", text="again")])
    run.append([prediction("q1", text="a repeated line")])
    run.finish([], SPENDS, ESTIMATES, FACTS)
    answers = run.predictions()
    assert list(answers) == ["q1", "q2", "q3"]
    assert answers["q3"].text == "again"
    assert answers["q1"] == prediction("q1")
    assert run.finished() is not None


def test_an_unreadable_line_in_the_middle_costs_that_line_only(tmp_path: Path) -> None:
    run = RunDirectory.open(tmp_path, "study", "abc")
    run.begin("", FACTS)
    run.append([prediction("q1"), prediction("q2"), prediction("q3")])
    run.end("KILLED")
    lines = (run.path / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "predictions.jsonl").write_bytes(lines[0] + b"\0" * 50 + b"\n" + lines[2])
    assert list(run.predictions()) == ["q1", "q3"]


def test_two_writers_of_one_run_are_one_too_many(tmp_path: Path) -> None:
    first, second = (RunDirectory.open(tmp_path, "study", "abc") for _ in range(2))
    first.begin("", FACTS)
    with pytest.raises(EnvironmentFault, match="run abc is busy"):
        second.begin("", FACTS)
    first.end("FAILED", "x")
    second.begin("", FACTS)


@pytest.mark.parametrize("name", ["../../x", "", "a/b", ".hidden"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="experiment_name"):
        RunDirectory.open(tmp_path, name, "abc")


def test_a_record_of_a_newer_version_or_of_no_version_is_refused_by_name(finished: Make) -> None:
    text = (finished("abc").path / "run.json").read_text()
    with pytest.raises(DataError, match=r"x/run\.json: written by a newer version"):
        RunRecord.from_json(text.replace('"schema_version": 3', '"schema_version": 99'), "x/run.json")
    for broken in ("", "[]", "{}", text.replace('"FINISHED"', '"DONE"')):
        with pytest.raises(DataError, match=r"x/run\.json"):
            RunRecord.from_json(broken, "x/run.json")
