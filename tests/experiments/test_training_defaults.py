"""The study of training settings: facts in some words to train on and in others to ask, one setting at a time, the best one kept."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from experiments import training_defaults
from experiments.training_defaults import Tried, main, section, written
from rag_eval.adapt.training_history import Asked, History, Stopped
from rag_eval.record.load import RecordedRun
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Estimate


def training(epochs: float, stopped: Stopped = "learned") -> History:
    curve = tuple(Asked(float(at), at, at / epochs) for at in range(1, int(epochs) + 1))
    return History(stopped, 40, 400, 80, int(epochs), int(epochs), epochs, 1.0, 20, curve)


def held_out(contains: float) -> dict[str, Estimate]:
    return {"answer/contains": Estimate(contains, contains, contains, 20, 20)}


def tried(epochs: float, contains: float, stopped: Stopped = "learned") -> Tried:
    settings = {"learning_rate": 0.001, "rank": 16, "batch_size": 8, "until_learned": 1.0}
    return Tried(settings, training(epochs, stopped), held_out(contains), 12.0)


def test_facts_are_trained_in_some_words_and_asked_in_others(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in written(tmp_path, 5).read_text().splitlines()]
    assert [row["split"] for row in rows].count("train") == 10
    asked = [row for row in rows if row["split"] == "test"]
    assert len({row["cluster"] for row in asked}) == len(asked) == 5
    for row in asked:
        taught = [one for one in rows if one["split"] == "train" and one["answers"] == row["answers"] and one["cluster"] == row["cluster"]]
        assert len(taught) == 2
        assert row["question"] not in {one["question"] for one in taught}


def test_the_best_has_learned_then_answers_most_of_what_is_held_out_then_needs_the_fewest_passes() -> None:
    ordered = [tried(30, 1.0, "max_epochs"), tried(5, 0.5), tried(9, 0.9), tried(8, 0.9)]
    assert sorted(ordered[::-1], key=lambda one: one.rank) == ordered


def test_a_row_says_after_how_many_passes_so_much_was_learned() -> None:
    found = section("t", "r", [tried(10, 0.9), replace(tried(4, 0.9), cpu_s=None)])
    by_name = [dict(zip(found.header, row, strict=True)) for row in found.rows]
    assert [(row["passes"], row["to 0.5"], row["to 0.95"], row["learned"]) for row in by_name] == [
        ("10", "5", "10", "1.000"),
        ("4", "2", "4", "1.000"),
    ]
    assert [row["processor s"] for row in by_name] == ["12", "-"]


def test_each_setting_is_tried_from_the_best_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[dict[str, Any]] = []

    def trained(settings: dict[str, Any], *_: Any) -> RecordedRun:
        made.append(dict(settings))
        contains = 0.9 - abs(settings["learning_rate"] - 0.002) - abs(settings.get("rank", 0) - 64) / 1000
        return write_run(tmp_path, f"run-{len(made)}", "finetune", [{}], training=asdict(training(4)), extra=held_out(contains))

    monkeypatch.setattr(training_defaults, "_trained", trained)
    assert main([f"runs={tmp_path}", f"out={tmp_path}"]) == 0
    assert [one["learning_rate"] for one in made[:5]] == [0.0002, 0.0005, 0.001, 0.002, 0.004]
    assert {one["learning_rate"] for one in made[5:14]} == {0.002}
    assert [one["rank"] for one in made[5:8]] == [8, 16, 64]
    assert {one["rank"] for one in made[8:14]} == {64}
    assert [one["until_learned"] for one in made[11:13]] == [0.9, 0.99]
    assert made[13]["epochs"] == 8
    assert [(one["learning_rate"], "rank" in one) for one in made[14:]] == [(0.0001, False), (0.0003, False)]
    assert main(["facts=none"]) == 2
    assert "facts: expected a whole number" in capsys.readouterr().err


def test_the_study_trains_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_defaults, "TRIED", {"learning_rate": (0.002,)})
    monkeypatch.setattr(training_defaults, "STOPS", (0.5,))
    monkeypatch.setattr(training_defaults, "FULL", (0.0003,))
    assert main(["generator=tiny", "facts=2", "runs=outputs", "out=reports"]) == 0
    found = json.loads(Path("reports/training_defaults.json").read_text())
    assert [one["title"] for one in found["sections"]] == ["By learning rate", "When to stop", "All weights"]
    assert len(found["curves"]) == 4
    assert found["curves"][0]["curve"][-1]["share"] >= 0.99
    assert Path("reports/training_defaults.md").read_text().startswith("# Training defaults")
