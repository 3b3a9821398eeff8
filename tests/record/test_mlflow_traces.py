"""Runs in a real MLflow store: what is read back equals the record, each trace is there once, and arms stand side by side."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag_eval.record.load import RecordedRun, read_run
from rag_eval.testing.finished_runs import write_run
from rag_eval.track.traces import is_right
from tests.claims import every
from tests.commands import Ended
from tests.record.test_trackers import mirror

pytestmark = pytest.mark.flow

Store = tuple[Any, list[Any]]
SWEEP = ("-m", "mode=closed_book,rag", "generator=scripted", "dataset.preset=ci", "limit=30", "n_probe=0")


def opened(store: str) -> Store:
    """A client, and the runs by name."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store)
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return client, sorted(runs, key=lambda one: str(one.info.run_name))


def traces_of(client: Any, run: Any) -> list[Any]:
    return list(client.search_traces(locations=[run.info.experiment_id], run_id=run.info.run_id, max_results=500))


def verdicts(traces: list[Any]) -> dict[str, bool]:
    """Of each question, whether its feedback says that the answer is right."""
    found = {}
    for trace in traces:
        said = [one for one in trace.info.assessments if one.name == "correctness"]
        assert len(said) <= 1
        if said:
            found[trace.info.client_request_id] = {"yes": True, "no": False}[said[0].value]
    return found


def recorded(run: RecordedRun) -> dict[str, bool]:
    primary = run.record.facts.comparison.primary
    return {id: right for id, one in run.questions.items() if (right := is_right(one, primary)) is not None}


@pytest.fixture
def many(tmp_path: Path) -> RecordedRun:
    """A run of 130 questions, more than two batches; every third answer is wrong."""
    return write_run(tmp_path / "outputs", "many", "rag", [{"answer/em": float(at % 3 > 0), "answer/f1": 0.5} for at in range(130)])


def test_a_sweep_is_read_back_as_it_was_recorded(command: Callable[..., Ended], store: str, tmp_path: Path) -> None:
    for _ in range(2):  # the second time from disk
        ended = command(*SWEEP, f"tracking.uri={store}", tracking="mlflow")
        assert (ended.code, "WARNING" in ended.err) == (0, False), ended.err
    client, runs = opened(store)
    arms = {run.info.run_name: run for run in runs if run.data.tags["rag_eval.kind"] == "run"}
    parents = {run.info.run_id: run for run in runs if run.data.tags["rag_eval.kind"] == "sweep"}
    assert list(arms) == ["closed_book · Scripted · seed 0", "rag · Scripted · seed 0"]
    assert len(parents) == 2
    parent = parents[arms["rag · Scripted · seed 0"].data.tags["mlflow.parentRunId"]]
    assert {one.data.tags["mlflow.parentRunId"] for one in arms.values()} == {parent.info.run_id}
    files = {one.path for one in client.list_artifacts(parent.info.run_id)}
    assert {"summary.md", "table.json", "figures", "compare.md", "compare.json"} <= files
    assert "| rag | 1.000" in parent.data.tags["mlflow.note.content"]
    assert client.get_experiment(parent.info.experiment_id).tags["mlflow.experimentKind"] == "genai_development"

    inputs, judged = [], set()
    for run in arms.values():
        record = read_run(next(tmp_path.glob(f"outputs/*/{run.data.tags['rag_eval.run_id']}")))
        assert run.data.tags["mlflow.runType"] == "genai_evaluate"
        assert run.data.metrics["headline/exact_match"] == record.record.estimates["answer/em"].mean
        assert "headline/learn_usd" not in run.data.metrics
        traces = traces_of(client, run)
        assert len(traces) == 30
        assert verdicts(traces) == recorded(record)
        judged |= set(verdicts(traces).values())
        seconds = {id: sum(one.seconds.values()) for id, one in record.predictions.items()}
        assert {one.info.client_request_id: one.info.execution_duration for one in traces} == {
            id: round(one * 1000) for id, one in seconds.items()
        }
        assert every(one.data.spans[0].get_attribute("rag_eval.seconds") == seconds[one.info.client_request_id] for one in traces)
        inputs.append({one.info.client_request_id: (one.data.spans[0].inputs, one.info.request_preview) for one in traces})
        assert every(one.info.request_preview.endswith("?") for one in traces)
    assert inputs[0] == inputs[1]
    assert judged == {True, False}
    shown = next(one for one in traces if len(one.data.spans) == 4)
    assert [one.name for one in shown.data.spans] == ["question", "retrieve", "prompt", "generate"]
    assert every(one["page_content"] and one["metadata"]["doc_uri"] for one in shown.data.spans[1].outputs)
    (expected,) = [one for one in shown.info.assessments if one.name == "expected_response"]
    assert expected.value


def test_a_store_that_is_not_a_file_here_gets_no_texts_unless_asked(many: RecordedRun, store: str, tmp_path: Path) -> None:
    assert mirror(store, tmp_path, texts="never").log(many.folder, many.record)
    client, (run,) = opened(store)
    traces = traces_of(client, run)
    assert {one.info.request_preview for one in traces} == {f"question q{at}" for at in range(130)}
    assert not [one for trace in traces for one in trace.info.assessments if one.name == "expected_response"]


def test_a_mirroring_that_is_killed_midway_goes_on_and_each_trace_is_there_once(
    many: RecordedRun, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracing.client import TracingClient

    log_spans, starts = TracingClient.log_spans, []
    monkeypatch.setattr(
        TracingClient, "start_trace", lambda self, info, start=TracingClient.start_trace: starts.append(info) or start(self, info)
    )

    def killed(self: Any, location: str, spans: list[Any]) -> Any:
        if len(starts) > 50:
            raise KeyboardInterrupt
        return log_spans(self, location, spans)

    monkeypatch.setattr(TracingClient, "log_spans", killed)
    with pytest.raises(KeyboardInterrupt):
        mirror(store, tmp_path, texts="never").log(many.folder, many.record)
    assert len(starts) == 100
    monkeypatch.setattr(TracingClient, "log_spans", log_spans)
    assert mirror(store, tmp_path, texts="never").log(many.folder, many.record)
    assert len(starts) == 100 + 80  # from the first batch that did not arrive
    client, (run,) = opened(store)
    traces = traces_of(client, run)
    assert len(traces) == 130
    assert verdicts(traces) == recorded(many)
    assert {len(one.data.spans) for one in traces} == {3}
    assert {sum(name.name == "f1" for name in one.info.assessments) for one in traces} == {1}
    mirror(store, tmp_path, texts="never", parent="a sweep").log(many.folder, many.record)
    assert len(starts) == 180


def test_what_was_not_measured_has_no_duration_and_no_tokens(store: str, tmp_path: Path) -> None:
    said = {"q0": {"seconds": {}, "n_output_tokens": None}}
    run = write_run(tmp_path, "untimed", "replay", [{"answer/em": 1.0}, {"answer/em": None}], predictions=said)
    mirror(store, tmp_path).log(run.folder, run.record)
    client, (logged,) = opened(store)
    traces = {one.info.client_request_id: one for one in traces_of(client, logged)}
    assert (traces["q0"].info.execution_duration, traces["q1"].info.execution_duration) == (None, 500)
    assert (traces["q0"].info.token_usage, traces["q1"].info.token_usage["total_tokens"]) == (None, 42)
    assert traces["q0"].info.tags["tokens.output_tokens"] == "not measured"
    assert {one.get_attribute("rag_eval.seconds") for one in traces["q0"].data.spans} == {"not measured"}
    assert verdicts(list(traces.values())) == {"q0": True}


def test_a_slow_store_gets_the_rest_another_time(
    many: RecordedRun, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from rag_eval.track import mlflow_traces

    monkeypatch.setattr(mlflow_traces, "PATIENCE_S", -1.0)
    with caplog.at_level(logging.WARNING):
        assert mirror(store, tmp_path, texts="never").log(many.folder, many.record) == ""
    assert "0 of 130 traces" in caplog.text
    _, (run,) = opened(store)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["headline/f1"] == 0.5
    monkeypatch.undo()
    assert mirror(store, tmp_path, texts="never").log(many.folder, many.record)
    client, (run,) = opened(store)
    assert len(traces_of(client, run)) == 130


def test_arms_that_differ_in_a_choice_have_names_that_say_it(store: str, tmp_path: Path) -> None:
    for k in (3, 5):
        run = write_run(tmp_path, f"run{k}", "rag", [{"answer/em": 1.0}], choices={"generator": "HF", "retriever.k": k})
        mirror(store, tmp_path, n_traces=0).log(run.folder, run.record)
    _, runs = opened(store)
    assert [one.info.run_name for one in runs] == ["rag · HF · seed 0", "rag · HF · seed 0 · retriever.k=5"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[None]:
    from rag_eval.testing.postgres import local_server

    with local_server():
        yield


@pytest.mark.usefixtures("postgres")
def test_postgresql_holds_the_same(many: RecordedRun, tmp_path: Path) -> None:
    store = "postgresql+psycopg://"  # where it is and who asks stand in PGHOST and the like
    for _ in range(2):
        assert mirror(store, tmp_path).log(many.folder, many.record)
    client, (run,) = opened(store)
    assert verdicts(traces_of(client, run)) == recorded(many)
    assert run.data.metrics["headline/exact_match"] == many.record.estimates["answer/em"].mean
    assert json.loads((many.folder / "mirrored.json").read_text())[store]["traces"].startswith("130 of ")
