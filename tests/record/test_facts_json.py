"""What run.json says of a run, in this version and in those before it. The files in `older/` were recorded by those, and cut short."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag_eval.errors import DataError
from rag_eval.older_targets import current_choices
from rag_eval.record.facts_json import read_facts, to_json
from rag_eval.record.run_record import SCHEMA_VERSION, RunRecord
from rag_eval.report.__main__ import main
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.testing.finished_runs import facts

OLDER = Path(__file__).with_name("older")
NAMES = ("schema_1", "schema_2_of_its_first_version", "schema_2_rag", "schema_2_finetune")


def text_of(name: str) -> str:
    return (OLDER / f"{name}.json").read_text(encoding="utf-8")


def older(name: str) -> RunRecord:
    return RunRecord.from_json(text_of(name), name)


def changed(change: Callable[[Any], object]) -> str:
    """A record of this version in which something was changed."""
    plain = json.loads(older("schema_2_rag").to_json())
    change(plain)
    return json.dumps(plain)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_of_an_earlier_version_says_what_it_said(name: str) -> None:
    plain, record = json.loads(text_of(name)), older(name)
    said = plain["facts"]
    provenance, outcomes = record.facts.provenance, record.facts.outcomes
    assert (provenance.mode, provenance.seed, provenance.choices) == (said["mode"], said["seed"], current_choices(said["choices"]))
    assert vars(provenance.git) == said["git"]
    assert provenance.hardware.n_cores == said["hardware"]["n_cores"]
    assert record.facts.comparison.dataset == said["comparison"]["dataset"]
    assert {key: getattr(outcomes.counts, key) for key in said["counts"]} == said["counts"]
    assert {stage: vars(one) for stage, one in outcomes.seconds.items()} == said["seconds"]
    assert vars(outcomes.tokens) == said["tokens"]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_read_back_as_it_was_written(name: str) -> None:
    record = older(name)
    assert RunRecord.from_json(record.to_json(), "again") == record


@pytest.mark.parametrize("name", ["schema_2_rag", "schema_2_finetune"])
def test_facts_stand_where_they_stood_before_and_those_not_known_are_null(name: str) -> None:
    before, now = json.loads(text_of(name))["facts"], json.loads(older(name).to_json())["facts"]
    before["choices"] = current_choices(before["choices"])
    added = [key for key in now["hardware"] if key not in before["hardware"]]
    assert (added, now["hardware"].pop("gpu"), now["decoded"].pop("share_read")) == (["gpu"], None, None)
    assert now["knowledge"] is None or now["knowledge"].pop("exercises") is None
    for one in now["metrics"].values():  # which have labels in the place of the title of a column
        del one["label"], one["is_column"]
    for one in before["metrics"].values():
        del one["title"]
    assert now == before


def test_the_first_records_lack_what_a_comparison_needs_and_all_others_have_it() -> None:
    assert {name: older(name).is_comparable for name in NAMES} == {name: name != "schema_1" for name in NAMES}
    first = older("schema_1").facts
    assert (first.provenance.context, first.provenance.source, first.data.audit) == (None, None, None)


def test_runs_that_do_not_say_were_judged_by_exact_match() -> None:
    assert older("schema_1").facts.comparison.primary == EM
    assert older("schema_2_of_its_first_version").facts.comparison.primary == EM
    assert facts("rag", 9, comparison={"primary": CONTAINS}).comparison.primary == CONTAINS


def test_runs_that_declared_no_metrics_are_read_by_their_names() -> None:
    scoring = older("schema_2_of_its_first_version").scoring
    assert (scoring.strict(), scoring.lenient, scoring.of("abstain/answerable").better) == (EM, CONTAINS, "lower")
    assert scoring.of("retrieval/recall_3").label == "recall@3"
    assert "cost/usd_per_correct" not in scoring.declared
    assert older("schema_2_rag").scoring.of("cost/usd_per_correct").better == "lower"


def test_a_run_of_this_version_that_declares_no_metrics_has_none() -> None:
    assert read_facts({**to_json(facts("rag", 9)), "metrics": {}}).outcomes.metrics == {}


def test_before_the_kept_step_of_a_training_was_told_it_was_the_last() -> None:
    plain = json.loads(text_of("schema_2_finetune"))["facts"]
    del plain["training"]["kept_step"]
    training = read_facts(plain).outcomes.training
    assert training is not None
    assert training.kept_step == training.n_steps > 0
    assert training.curve == ()


def test_a_model_that_was_never_loaded_decoded_nothing_which_was_an_empty_object_before() -> None:
    assert read_facts({**to_json(facts("rag", 9)), "decoded": {}}).outcomes.decoded is None


def test_settings_that_were_lists_are_told_as_json_as_now() -> None:
    plain = to_json(facts("rag", 9, choices={"metrics.retrieval_k": [1, 3], "seed": 0, "rate": 0.0, "is_on": False, "limit": None}))
    assert read_facts(plain).provenance.choices == {"metrics.retrieval_k": "[1, 3]", "seed": 0, "rate": 0.0, "is_on": False, "limit": None}


def test_a_run_that_did_not_finish_has_facts_and_no_outcomes() -> None:
    begun = replace(older("schema_2_rag"), status="RUNNING", facts=facts("rag", 9, counts={}, seconds={}, tokens={}))
    back = RunRecord.from_json(begun.to_json(), "x")
    assert back == begun
    assert (back.facts.outcomes.counts.n_questions, back.facts.outcomes.tokens.output_mean) == (None, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one["facts"]["counts"].update(n_questions="many"), "facts.counts.n_questions: expected a valid integer"),
        (lambda one: one["facts"]["comparison"].pop("dataset"), "expected the field facts.comparison.dataset, which is missing"),
        (lambda one: one["facts"].pop("mode"), "expected the field facts.mode, which is missing"),
        (lambda one: one["facts"].pop("comparison"), "expected the field facts.comparison, which is missing"),
        (lambda one: one["facts"].update(hardware="a cpu"), "facts.hardware: expected"),
        (lambda one: one["facts"].update(choices=["rag"]), "found JSON of another kind"),
        (lambda one: one.update(schema_version=1e400), "found JSON of another kind"),
        (lambda one: one.update(facts=[1]), "found JSON of another kind"),
        (lambda one: one.pop("facts"), "found no 'facts' in it"),
        (lambda one: one.update(status="DONE"), "status: expected 'RUNNING', 'FINISHED', 'FAILED' or 'KILLED', found 'DONE'"),
        (lambda one: one.update(estimates=None), "found JSON of another kind"),
    ],
)
def test_a_record_that_was_changed_is_refused_with_what_was_expected_and_found(change: Callable[[Any], object], said: str) -> None:
    with pytest.raises(DataError) as refused:
        RunRecord.from_json(changed(change), "x/run.json")
    assert str(refused.value).startswith(f"x/run.json: {said}" if "field" in said or ": " in said else "x/run.json: expected the record")
    assert said in str(refused.value)
    assert str(refused.value).endswith("; delete that folder and make the run again, or give another one.")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found text that is no JSON (line 1: Expecting value)"),
        (b"\xff\xfe\x00", "found bytes that are no UTF-8"),
        (b"[" * 100_000, "found JSON that is nested too deeply"),
        (b"[]", "found JSON of another kind"),
        (b'{"epochs": 3}', "found no 'schema_version' in it"),
    ],
)
def test_a_report_over_a_file_of_something_else_ends_with_one_line_that_names_it(
    content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "outputs" / "study" / "foreign" / "run.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert main(["compare", "rag", "closed_book"]) == 2
    error = capsys.readouterr().err
    assert "outputs/study/foreign/run.json: expected the record of a run (run.json), " in error
    assert said in error
    assert error.count("\n") == 1


def test_a_newer_record_asks_for_a_newer_version() -> None:
    with pytest.raises(DataError, match=rf"x: written by a newer version \(schema {SCHEMA_VERSION + 1}, known {SCHEMA_VERSION}\)"):
        RunRecord.from_json(changed(lambda one: one.update(schema_version=SCHEMA_VERSION + 1)), "x")


def test_a_metric_that_recorded_the_title_of_its_column_has_a_label_and_the_column() -> None:
    plain = {EM: {"title": "EM", "asks": "form"}, "answer/rude": {"title": "rude"}, "answer/n_smiles": {"title": ""}}
    found = read_facts({**to_json(facts("rag", 1)), "metrics": plain}).scoring
    assert [found.label(name) for name in plain] == ["exact match", "rude", "n smiles"]
    assert [found.of(name).is_column for name in plain] == [True, True, False]
