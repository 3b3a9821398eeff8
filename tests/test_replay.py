"""Recorded answers of any system become an ordinary run: scored, with its contexts, without a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.claims import none_of
from tests.commands import Ended

Command = Callable[..., Ended]
ROOT = Path(__file__).parents[1]
LARA = """mistral-nemo recall 487 .3321 .6006 .2685 .0209 .0267
mistral-nemo F1 487 .2330 .5240 .2911 .0189 .0203
gpt-4o recall 487 .8081 .7549 -.0532 .0146 .0179
gpt-4o F1 487 .3790 .4112 .0322 .0098 .0097
llama-3.2-3b recall 487 .6089 .6651 .0562 .0173 .0165
llama-3.2-3b F1 487 .3857 .4167 .0310 .0153 .0161"""  # computed apart from this package by whoever collected the recordings
# They have .5241 for mistral-nemo's F1: two of its answers hold Chinese characters, each of which is a token here.


def write(folder: Path, name: str, rows: list[dict[str, object]]) -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name


def asked(folder: Path, answers: list[dict[str, object]]) -> list[str]:
    """A corpus of two documents, three questions, and these recorded answers: the arguments of a replay."""
    write(folder, "d.jsonl", [{"id": "d1", "text": "The Nile is in Egypt."}, {"id": "d2", "text": "The Rhine is in Germany."}])
    write(
        folder,
        "q.jsonl",
        [
            {"id": "q1", "question": "Where is the Nile?", "answers": ["Egypt"], "evidence": ["d1"]},
            {"id": "q2", "question": "Where is the Rhine?", "answers": ["Germany"], "evidence": ["d2"]},
            {"id": "q3", "question": "Where is Ys?", "answers": [], "unanswerable": True},
        ],
    )
    write(folder, "a.jsonl", answers)
    return ["mode=replay", "dataset=jsonl", "dataset.documents=d.jsonl", "dataset.questions=q.jsonl", "replay.path=a.jsonl"]


ANSWERS: list[dict[str, object]] = [
    {"id": "q1", "prediction": "Egypt", "contexts": [{"text": "The Nile is in Egypt."}, "d2"], "latency_s": 0.5, "n_prompt_tokens": 20},
    {"id": "q2", "prediction": "Egypt", "contexts": ["d1"], "latency_s": 1.5, "n_prompt_tokens": 10},
    {"id": "q3", "prediction": "unknown", "latency_s": 0.1, "n_prompt_tokens": 5},
]


def test_recorded_answers_are_scored_with_their_contexts_and_times(command: Command, tmp_path: Path) -> None:
    ended = command(*asked(tmp_path, ANSWERS))
    assert ended.code == 0, ended.err
    assert ended.mean("answer/em") == 0.5
    assert ended.mean("abstain/unanswerable") == 1.0
    assert ended.mean("retrieval/hit_1") == 0.5  # the text of a context names its document
    facts = ended.record["facts"]
    assert facts["seconds"]["e2e"]["mean"] == pytest.approx(0.7)
    assert facts["tokens"] == {"prompt_mean": pytest.approx(35 / 3), "output_mean": None}
    rows = [json.loads(line) for line in (ended.directory / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row.get("cause"), row.get("distracted_by")) for row in rows] == [(None, None), ("not_retrieved", "d1"), (None, None)]


def test_what_was_not_recorded_is_not_measured_and_no_zero(command: Command, tmp_path: Path) -> None:
    ended = command(*asked(tmp_path, [{"id": id, "prediction": "Egypt"} for id in ("q1", "q2", "q3")]))
    assert ended.code == 0, ended.err
    record = ended.record
    assert record["facts"]["seconds"] == {}
    assert record["facts"]["tokens"] == {"prompt_mean": None, "output_mean": None}
    assert record["spends"]["answer"]["seconds"] is None
    assert none_of(name.startswith(("retrieval/", "prompt/", "answer/distracted")) for name in record["estimates"])
    rows = [json.loads(line) for line in (ended.directory / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    assert none_of("cause" in row for row in rows)


def test_an_answer_that_the_system_never_gave_is_malformed_and_counted(command: Command, tmp_path: Path) -> None:
    ended = command(*asked(tmp_path, [{**row, "prediction": None} if row["id"] == "q1" else row for row in ANSWERS]))
    assert ended.code == 0, ended.err
    assert ended.mean("answer/em") == 0.0
    assert (ended.mean("outcome/malformed"), ended.mean("outcome/wrong")) == (0.5, 0.5)


def test_a_recorded_thought_is_not_scored_and_one_that_was_cut_is_malformed(command: Command, tmp_path: Path) -> None:
    said = {"q1": "<think>Egypt or Sudan?</think>\n\nEgypt", "q2": "The Rhine.</think> Germany", "q3": "<think>I do not kn"}
    ended = command(*asked(tmp_path, [{"id": id, "prediction": text} for id, text in said.items()]))
    assert ended.code == 0, ended.err
    assert ended.mean("answer/em") == 1.0
    rows = [json.loads(line) for line in (ended.directory / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["text"], row["thought"], row["outcome"]) for row in rows] == [
        ("Egypt", "Egypt or Sudan?", "answered"),
        ("Germany", "The Rhine.", "answered"),
        ("", "I do not kn", "malformed"),
    ]


def test_a_question_without_an_answer_is_refused_before_anything_is_written(command: Command, tmp_path: Path) -> None:
    ended = command(*asked(tmp_path, ANSWERS[:2]))
    assert ended.code == 2
    assert "1 of 3 questions have no recorded answer (first: 'q3')" in ended.err
    assert not (tmp_path / "outputs").exists()


def test_other_answers_are_another_run_and_the_same_are_the_same(command: Command, tmp_path: Path) -> None:
    arguments = asked(tmp_path, ANSWERS)
    first = command(*arguments)
    (tmp_path / "copy.jsonl").write_bytes((tmp_path / "a.jsonl").read_bytes())
    copied = command(*arguments[:-1], "replay.path=copy.jsonl")
    assert copied.code == 0, copied.err
    write(tmp_path, "copy.jsonl", [*ANSWERS[:2], {"id": "q3", "prediction": "Ys"}])
    changed = command(*arguments[:-1], "replay.path=copy.jsonl")
    assert changed.directory != first.directory
    assert changed.mean("abstain/unanswerable") == 0.0


def test_an_empty_list_of_contexts_says_that_nothing_was_found(command: Command, tmp_path: Path) -> None:
    answers = [{"id": id, "prediction": "x", "contexts": [] if id == "q1" else ["d2"]} for id in ("q1", "q2", "q3")]
    ended = command(*asked(tmp_path, answers))
    assert ended.code == 0, ended.err
    assert ended.mean("prompt/holds_evidence") == 0.5


def test_a_passage_of_its_own_is_read_for_words_and_never_taken_for_missing_evidence(command: Command, tmp_path: Path) -> None:
    """Chunks of a document, as texts: they may be evidence or not, but their words are there."""
    answers = [
        {"id": "q1", "prediction": "Rome", "contexts": ["It lies in Egypt, they say."]},
        {"id": "q2", "prediction": "Basel", "contexts": [{"text": "It flows by Basel."}]},
        {"id": "q3", "prediction": "unknown"},
    ]
    ended = command(*asked(tmp_path, answers))
    assert ended.code == 0, ended.err
    assert ended.mean("prompt/holds_answer_words") == 0.5
    assert ended.mean("answer/distracted") == 0.5
    assert "prompt/holds_evidence" not in ended.record["estimates"]
    rows = [json.loads(line) for line in (ended.directory / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row.get("cause") for row in rows] == ["not_known", "not_known", None]


def test_contexts_that_are_no_documents_are_said(command: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    command(*asked(tmp_path, [{**ANSWERS[0], "contexts": ["d1", "d9"]}, *ANSWERS[1:]]))
    assert "1 of 3 recorded contexts are no documents of the dataset (first: 'd9')" in caplog.text


def test_without_a_corpus_ids_of_evidence_are_still_known(command: Command, tmp_path: Path) -> None:
    arguments = asked(tmp_path, [{**ANSWERS[0], "contexts": ["d1"]}, {**ANSWERS[1], "contexts": ["d2"]}, ANSWERS[2]])
    ended = command(*(one for one in arguments if "documents" not in one), "dataset.documents=null")
    assert ended.code == 0, ended.err
    assert ended.mean("prompt/holds_evidence") == 1.0
    rows = [json.loads(line) for line in (ended.directory / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[1]["cause"] == "in_prompt_unused"
    assert ended.record["facts"]["audit"]["n_distractors_min"] is None


def test_a_file_that_is_not_there_is_one_line_with_advice(command: Command, tmp_path: Path) -> None:
    ended = command(*asked(tmp_path, ANSWERS)[:-1], "replay.path=none.jsonl")
    assert ended.code == 2
    assert "none.jsonl: cannot be read" in ended.err


def test_a_replay_spends_nothing_on_this_machine(command: Command, tmp_path: Path) -> None:
    spends = command(*asked(tmp_path, ANSWERS)).record["spends"]
    assert set(spends) == {"answer"}
    assert (spends["answer"]["seconds"], spends["answer"]["cpu_seconds"]) == (pytest.approx(2.1), None)


@pytest.mark.flow
@pytest.mark.real
def test_the_answers_that_real_models_gave_score_what_others_computed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.replay", "lara", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if line.startswith("│")]
    expected = [line.split() for line in LARA.splitlines()]
    assert [line[:2] for line in lines] == [line[:2] for line in expected]
    for got, wanted in zip(lines, expected, strict=True):
        assert [round(float(one), 4) for one in got[2:]] == [float(one) for one in wanted[2:]]


@pytest.mark.flow
def test_the_replay_experiment_says_what_it_needs() -> None:
    without = {name: value for name, value in os.environ.items() if name != "RAG_EVAL_DATA"}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.replay", "lara"], cwd=ROOT, capture_output=True, text=True, env=without, check=False
    )
    assert (done.returncode, done.stderr) == (2, "error: RAG_EVAL_DATA is not set; give it the folder that holds lara_predictions.\n")
