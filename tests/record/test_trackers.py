from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag_eval.config.tracking_uri import absolute_uri, check_uri
from rag_eval.errors import ConfigError
from rag_eval.latency.record import CONDITIONS, LatencyRecord
from rag_eval.latency.store import write_latency
from rag_eval.record.facts import BaseWeights
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.run_record import RunRecord
from rag_eval.track.jsonl import JsonLines
from rag_eval.track.mlflow_rows import legal_name, metrics_of, tags_of
from rag_eval.track.tracker import NoTracking, is_mirrored, mirrored_id
from rag_eval.types import Estimate, Timing
from tests.record.samples import FACTS, prediction

pytestmark = pytest.mark.flow

Make = Callable[[str], RunDirectory]
SPAWN = multiprocessing.get_context("spawn")


def mirror(store: str, folder: Path, **changes: Any) -> Any:
    from rag_eval.track.mlflow import MLflow

    return MLflow(**{"uri": store, "experiment": "study", "artifacts": str(folder / "artifacts"), **changes})


def runs_in(store: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store)
    return list(client.search_runs([one.experiment_id for one in client.search_experiments()]))


def record_of(run: RunDirectory) -> RunRecord:
    record = run.record()
    assert record is not None
    return record


@pytest.mark.parametrize("uri", ["./mlruns", "mlruns", "file:///tmp/mlruns", "", "sqlite:///", "ftp://host/x"])
def test_a_store_that_mlflow_refuses_is_refused_with_the_one_to_use(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"sqlite:///mlflow\.db"):
        check_uri(uri)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as refusal:
        check_uri("https://me:hunter2@host/")
    assert "hunter2" not in str(refusal.value)


def test_a_relative_store_is_the_same_one_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db" == absolute_uri(f"sqlite:///{tmp_path}/a.db")
    assert absolute_uri("http://host:5000") == "http://host:5000"


@pytest.mark.parametrize("name", ["a folder?", "100%", "50%25", "a?b#c"])
def test_a_store_stands_in_the_working_folder_however_that_is_called(
    name: str, finished: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in" / name)
    run, store = finished("abc"), absolute_uri("sqlite:///mlflow.db")
    tracker = mirror("sqlite:///mlflow.db", tmp_path, artifacts="mlartifacts")
    assert tracker.log(run.path, record_of(run))
    assert is_mirrored(run.path, "sqlite:///mlflow.db")
    assert {"mlflow.db", "mlartifacts"} <= {file.name for file in Path(".").iterdir()}
    assert [one.info.status for one in runs_in(store)] == ["FINISHED"]
    assert sorted(Path("mlartifacts").rglob("run.json"))
    assert [one.name for one in (tmp_path / "in").iterdir()] == [name]


ODD_NAMES = ["price (EUR)?", "price (EUR)!", "C++ & C#", "日付", "what/when", "a: b", "..", ".", "", "/x", "x/", "a//b", "a\nb", "x" * 400]


def test_names_that_mlflow_refuses_become_legal_ones_without_collisions() -> None:
    from mlflow.utils.validation import _validate_metric_name

    names = [f"strata/kind/{name}" for name in ODD_NAMES]
    legal = [legal_name(name) for name in names]
    for name in legal:
        _validate_metric_name(f"{name}_lo")
    assert len(set(legal)) == len(names)
    assert {"strata/kind/日付", "strata/kind/what/when", "strata/kind/a: b"} <= set(legal)
    assert legal_name("answer/em") == "answer/em"


def test_a_run_with_odd_names_is_mirrored_whole(finished: Make, store: str, tmp_path: Path) -> None:
    run = finished("abc")
    record = record_of(run)
    odd = {f"strata/kind/{name}": Estimate(0.5, 0.25, 0.75, 4, 4) for name in ODD_NAMES}
    facts = replace(record.facts, provenance=replace(record.facts.provenance, choices={"retriever.weights.C++ (?)": 1.0}))
    assert mirror(store, tmp_path).log(run.path, replace(record, estimates={**record.estimates, **odd}, facts=facts))
    (one,) = runs_in(store)
    assert one.info.status == "FINISHED"
    assert len([name for name in one.data.metrics if name.startswith("strata/kind/")]) == 3 * len(ODD_NAMES)
    assert list(one.data.params.values()) == ["1.0"]


def test_asking_whether_a_run_is_mirrored_imports_no_mlflow() -> None:
    code = "import sys, rag_eval.track.tracker, rag_eval.track.jsonl; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_tag_says_what_the_weights_were_made_of(finished: Make) -> None:
    record = record_of(finished("abc"))
    origin = BaseWeights("GGUF", "e" * 64, {"Q4_1": 210}, "float32")
    assert "base_weights" not in tags_of(record)
    facts = replace(record.facts, provenance=replace(record.facts.provenance, base_weights=origin))
    assert "Q4_1 (210 tensors), dequantised" in tags_of(replace(record, facts=facts))["base_weights"]


def test_metrics_hold_intervals_and_leave_out_what_was_not_measured(finished: Make) -> None:
    metrics = metrics_of(record_of(finished("abc")))
    assert (metrics["answer/em"], metrics["answer/em_lo"], metrics["answer/em_hi"]) == (0.91, 0.88, 0.93)
    assert metrics["seconds/e2e_p50"] == 0.25
    assert metrics["tokens/prompt_mean"] == 40.0
    assert metrics["answer/seconds"] == 1.5
    assert metrics["learn/is_cached"] == 1
    assert not {"answer/f1", "learn/seconds", "seconds/e2e"} & set(metrics)


def test_a_run_appears_in_mlflow_under_its_sweep_with_all_that_it_recorded(finished: Make, store: str, tmp_path: Path) -> None:
    run, tracker = finished("abc"), mirror(store, tmp_path)
    parent = tracker.start_parent("mode=rag,finetune")
    id = mirror(store, tmp_path, parent=parent).log(run.path, record_of(run))
    tracker.end_parent(parent, "FINISHED")

    logged = {one.info.run_id: one for one in runs_in(store)}
    one = logged[id]
    assert set(logged) == {id, parent}
    assert logged[parent].info.status == "FINISHED"
    assert one.data.tags["mlflow.parentRunId"] == parent
    assert one.info.status == "FINISHED"
    assert one.info.run_name == "rag · seed 3"
    assert one.data.metrics == {**metrics_of(record_of(run)), "headline/exact_match": 0.91}
    assert one.data.params == {"mode": "rag", "retriever.k": "3"}
    assert {"mode": "rag", "git_sha": "c" * 40, "config_hash": "abc", "rag_eval.run_id": "abc"}.items() <= one.data.tags.items()
    assert one.data.tags["primary"] == "answer/em"
    (dataset,) = one.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest, dataset.tags[0].value) == ("world-ci", "d" * 8, "eval")
    stored = Path(one.info.artifact_uri)
    assert stored.is_relative_to(tmp_path / "artifacts")
    assert sorted(file.name for file in stored.iterdir()) == ["config.yaml", "predictions.jsonl", "run.json", "scores.jsonl"]


def test_mlflow_shows_the_latency_that_was_measured_last(finished: Make, store: str, tmp_path: Path) -> None:
    run = finished("abc")
    conditions = dict.fromkeys(CONDITIONS) | {"scenario": "single_stream", "n_queries": 60, "n_blocks": 6, "cache_state": "warm"}
    for session, seconds in (("first", 0.2), ("second", 0.1)):
        timings = tuple(Timing(f"q{at}", at // 10, 10, 2, {"generate": seconds}, seconds) for at in range(60))
        write_latency(run.path, LatencyRecord(conditions, "rag", "abc", session, timings))
        mirror(store, tmp_path).log(run.path, record_of(run))
    (one,) = runs_in(store)
    assert one.data.metrics["latency/e2e_p50_ms"] == one.data.metrics["latency/e2e_p95_ms"] == 100.0


def test_a_run_is_mirrored_once(finished: Make, store: str, tmp_path: Path) -> None:
    run = finished("abc")
    assert not is_mirrored(run.path, store)
    first = mirror(store, tmp_path).log(run.path, record_of(run))
    assert is_mirrored(run.path, store)
    assert run.finished() is not None
    assert mirror(store, tmp_path).log(run.path, record_of(run)) == first
    assert len(runs_in(store)) == 1
    again = mirror(store, tmp_path, parent="another sweep").log(run.path, record_of(run))
    assert [(again, one.data.tags["mlflow.parentRunId"]) for one in runs_in(store)] == [(first, "another sweep")]


def test_a_store_that_was_deleted_and_made_anew_gets_the_run_again(finished: Make, store: str, tmp_path: Path) -> None:
    run, file = finished("abc"), Path(store.removeprefix("sqlite:///"))
    empty = file.read_bytes()
    sent = mirror(store, tmp_path).log(run.path, record_of(run))
    assert mirrored_id(run.path, store) == sent
    file.unlink()
    assert not is_mirrored(run.path, store)
    file.write_bytes(empty)
    assert not is_mirrored(run.path, store)
    assert mirrored_id(run.path, store) is None  # so it is sent as a new one


def test_a_killed_run_is_shown_as_killed_and_goes_on_under_the_same_id(tmp_path: Path, store: str) -> None:
    run = RunDirectory.open(tmp_path / "outputs", "study", "abc")
    run.begin("", FACTS)
    killed = mirror(store, tmp_path).log(run.path, run.end("KILLED", "interrupted"))
    assert [(one.info.status, one.data.tags["rag_eval.error"]) for one in runs_in(store)] == [("KILLED", "interrupted")]
    run.begin("", FACTS)
    assert mirror(store, tmp_path).log(run.path, run.finish([], {}, {}, FACTS)) == killed
    assert [(one.info.status, one.data.tags.get("rag_eval.error")) for one in runs_in(store)] == [("FINISHED", None)]


def test_a_store_that_is_down_costs_a_warning(finished: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = finished("abc")
    (tmp_path / "broken.db").write_text("this is no database" * 100)
    tracker = mirror(f"sqlite:///{tmp_path}/broken.db", tmp_path)
    with caplog.at_level(logging.WARNING):
        assert tracker.log(run.path, record_of(run)) == ""
        assert tracker.start_parent("sweep") == ""
        tracker.end_parent("x", "FINISHED")
    assert caplog.text.count("not mirrored") == 3
    assert run.finished() is not None
    assert not is_mirrored(run.path, f"sqlite:///{tmp_path}/broken.db")


def test_json_lines_hold_the_record_once_and_every_sweep_that_asked_for_it(finished: Make, tmp_path: Path) -> None:
    run, path = finished("abc"), str(tmp_path / "runs.jsonl")
    parent = JsonLines(path).start_parent("sweep")
    for _ in range(2):
        assert JsonLines(path, parent=parent).log(run.path, record_of(run)) == "abc"
    JsonLines(path).end_parent(parent, "FAILED")
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["sweep", "run", "link", "sweep"]
    assert lines[1]["parent"] == lines[3]["id"] == parent
    assert lines[3]["status"] == "FAILED"
    assert lines[2] == {"kind": "link", "run_id": "abc", "parent": parent}
    assert lines[1]["record"] == json.loads((run.path / "run.json").read_text())
    assert is_mirrored(run.path, path)


def test_no_tracking_leaves_no_trace(finished: Make) -> None:
    run = finished("abc")
    before = sorted(run.path.iterdir())
    assert NoTracking().log(run.path, record_of(run)) == "" == NoTracking().start_parent("sweep")
    assert sorted(run.path.iterdir()) == before


def _log_together(store: str, folder: str, at: int, barrier: Any) -> None:
    tracker = mirror(store, Path(folder))
    barrier.wait(120)
    run = RunDirectory.open(Path(folder) / "outputs", "study", f"run{at}")
    run.begin("", FACTS)
    run.append([prediction("q1")])
    assert tracker.log(run.path, run.finish([], {}, {}, FACTS)) != ""


@pytest.mark.slow
def test_processes_that_open_a_fresh_store_at_once_do_not_break_it(tmp_path: Path) -> None:
    store, barrier = f"sqlite:///{tmp_path}/fresh.db", SPAWN.Barrier(4)
    racers = [SPAWN.Process(target=_log_together, args=(store, str(tmp_path), at, barrier)) for at in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(240)
    assert [racer.exitcode for racer in racers] == [0] * 4
    assert sorted(one.data.tags["rag_eval.run_id"] for one in runs_in(store)) == ["run0", "run1", "run2", "run3"]
    with sqlite3.connect(tmp_path / "fresh.db") as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    shutil.rmtree(tmp_path / "artifacts")
