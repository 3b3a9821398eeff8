"""What a run asks, what decides its identity, and which question counts in which number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_eval.adapt.data.qa import QA
from rag_eval.probes.sample import sample
from rag_eval.testing.models import write_random_model
from tests.commands import Ended
from tests.worlds import world

Command = Callable[..., Ended]
ECHO = ("generator=echo", "dataset.preset=ci")


def rows(ended: Ended, name: str, code: int = 0) -> list[dict[str, Any]]:
    assert ended.code == code, ended.err
    return [json.loads(line) for line in (ended.directory / name).read_text(encoding="utf-8").splitlines()]


def test_a_sample_keeps_the_order_and_follows_the_dataset_only() -> None:
    examples = world("ci", 0).test
    chosen = sample(examples, 50, "a")
    assert len(chosen) == 50
    assert list(chosen) == [example for example in examples if example in chosen]
    assert chosen == sample(examples, 50, "a") != sample(examples, 50, "b")
    assert sample(examples, 1_000, "a") == sample(examples, None, "a") == examples


def test_another_world_is_asked_other_places_of_its_questions(command: Command) -> None:
    places = []
    for seed in (0, 1):
        order = [example.id for example in world("ci", seed).test]
        ended = command("mode=closed_book", *ECHO, "limit=20", f"dataset.seed={seed}")
        places.append([order.index(row["example_id"]) for row in rows(ended, "predictions.jsonl")])
    assert places[0] != places[1]


def test_where_and_under_which_name_results_are_written_decides_nothing(command: Command) -> None:
    arguments = ("mode=rag", *ECHO, "retriever/embedder=hashed", "limit=5")
    first = command(*arguments)
    moved = [command(*arguments, more) for more in ("output_dir=elsewhere", "experiment_name=other", "debug=true", "cache.root=fresh")]
    assert {one.directory.name for one in moved} == {first.directory.name}
    others = [command(*arguments, more) for more in ("retriever.k=2", "seed=1", "dataset.seed=1", "limit=6", "prompt.header=Facts:")]
    assert len({first.directory.name, *(one.directory.name for one in others)}) == 6


def test_a_run_says_what_it_learned_from_by_its_content(command: Command) -> None:
    def learned_from(mode: str, *more: str) -> str:
        ended = command(f"mode={mode}", "dataset.preset=ci", "limit=5", *more)
        assert ended.code == 0, ended.err
        return str(ended.record["facts"]["learned_from"])

    one, two = (learned_from("prior", f"dataset.n_phrasings={n}") for n in (1, 2))
    assert one == learned_from("prior", "dataset.n_phrasings=1", "seed=1") != two
    known = {learned_from("closed_book", "generator=echo", f"dataset.n_phrasings={n}") for n in (1, 2)}
    assert len({*known, one, two}) == 3  # the same documents, no lessons


def test_a_finished_run_is_returned_and_no_file_of_it_is_touched(command: Command) -> None:
    arguments = ("mode=rag", *ECHO, "retriever/embedder=hashed", "limit=5")
    directory = command(*arguments).directory
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert command(*arguments).directory == directory
    assert {path.name: path.stat().st_mtime_ns for path in directory.iterdir()} == before


def test_an_unanswerable_question_is_scored_by_abstention_only(command: Command) -> None:
    ended = command("mode=rag", *ECHO, "retriever/embedder=hashed")
    scores = rows(ended, "scores.jsonl")
    for row in scores:
        judged = {name for name, value in row.items() if "/" in name and value is not None}
        if row["is_answerable"]:
            assert {"answer/em", "answer/f1", "answer/contains", "abstain/answerable", "retrieval/recall_3"} <= judged
            assert "abstain/unanswerable" not in judged
        else:
            assert judged == {"abstain/unanswerable"}
    n = {name: one["n"] for name, one in ended.record["estimates"].items()}
    assert (n["answer/em"], n["abstain/answerable"], n["abstain/unanswerable"], len(scores)) == (160, 160, 40, 200)


def test_a_question_that_cannot_be_asked_is_wrong_and_not_left_out(command: Command) -> None:
    documents = [{"id": f"d{at}", "title": "T", "text": f"The answer to {at} is liver."} for at in range(3)]
    questions = [
        {"id": f"q{at}", "question": f"What is {at}?", "answers": ["liver"], "evidence": [f"d{at}"], "split": "test"} for at in range(3)
    ]
    questions[1]["question"] = "Why, oh why, " * 40 + "is it?"
    for name, lines in (("documents", documents), ("questions", questions)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    data = ("dataset=jsonl", "dataset.documents=documents.jsonl", "dataset.questions=questions.jsonl")
    ended = command("mode=oracle", *data, "generator=echo", "+generator.max_prompt_tokens=60")
    assert [row["outcome"] for row in rows(ended, "predictions.jsonl", code=3)] == ["answered", "error", "answered"]
    assert ended.record["facts"]["counts"]["n_error"] == 1
    assert ended.record["estimates"]["answer/contains"]["n"] == 3
    assert ended.mean("answer/contains") == pytest.approx(2 / 3)


def test_a_trained_arm_is_asked_its_training_questions_too_and_they_count_apart(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    set_of = QA.training_set
    monkeypatch.setattr(QA, "training_set", lambda *given: made.append(1) or set_of(*given))
    document = {"id": "d0", "title": "T", "text": "The answer is liver."}
    split = ["train"] * 4 + ["test"] * 3
    questions = [{"id": f"q{at}", "question": f"What is {at}?", "answers": ["liver"], "split": one} for at, one in enumerate(split)]
    for name, lines in (("documents", [document]), ("questions", questions)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    data = ("dataset=jsonl", "dataset.documents=documents.jsonl", "dataset.questions=questions.jsonl")
    model = ("generator=tiny", f"generator.model={write_random_model(tmp_path / 'model')}", "generator.device=cpu", "n_forgetting=2")
    ended = command("mode=finetune", *data, *model, "adapter.rank=2", "adapter.epochs=1", "adapter.batch_size=4")
    predictions = rows(ended, "predictions.jsonl")
    assert len(made) == 1  # and checked for leaks
    assert [row["example_id"] for row in predictions] == ["q4", "q5", "q6", "q0", "q1", "q2", "q3"]
    record = ended.record
    assert record["estimates"]["answer/em"]["n"] == record["facts"]["counts"]["n_questions"] == len(rows(ended, "scores.jsonl")) == 3
    assert record["estimates"]["answer/em_train_phrasing"]["n"] == 4
    assert "under-trained: 0.000 of the training questions right, below 0.95" in ended.out
    assert record["spends"]["answer"]["seconds"] == pytest.approx(sum(sum(row["seconds"].values()) for row in predictions[:3]))
    assert record["spends"]["learn"]["cached"] is False
    small = ("adapter.rank=2", "adapter.epochs=1", "adapter.batch_size=4")
    (manifest,) = Path("cache/adapters").glob("*/manifest.json")
    trained_s = json.loads(manifest.read_text(encoding="utf-8"))["seconds"]
    again = command("mode=finetune", *data, *model, *small, "output_dir=again").record["spends"]["learn"]
    assert again["cached"] is True
    assert again["seconds"] > trained_s  # what it took when it was trained, and what had to be done again
    # What is retrieved is no part of what was learned: the training questions are asked without passages.
    both = command("mode=rag_finetune", *data, *model, *small, "retriever/embedder=hashed")
    learned = [row for row in rows(both, "predictions.jsonl") if row["example_id"] in {"q0", "q1", "q2", "q3"}]
    assert [row["in_prompt"] for row in learned] == [[]] * 4
    assert [row["text"] for row in learned] == [row["text"] for row in predictions[3:]]


def test_a_training_counts_in_full_beside_an_index_from_the_cache(command: Command, tmp_path: Path) -> None:
    model = (f"generator.model={write_random_model(tmp_path / 'model')}", "generator.device=cpu", "n_forgetting=2")
    fast = (
        "dataset.preset=ci",
        "retriever/embedder=hashed",
        "limit=2",
        "adapter.rank=2",
        "adapter.epochs=0.02",
        "adapter.data.reading_share=0",
    )
    assert command("mode=rag", *fast[:3], *model).code == 0
    ended = command("mode=rag_finetune", *fast, *model)
    (manifest,) = Path("cache/adapters").glob("*/manifest.json")
    assert ended.record["spends"]["learn"]["seconds"] > json.loads(manifest.read_text(encoding="utf-8"))["seconds"] > 0


def test_a_model_that_cannot_read_the_passages_is_noted(command: Command) -> None:
    Path("documents.jsonl").write_text('{"id": "d1", "title": "Refunds", "text": "Refunds are paid within 14 days."}\n', encoding="utf-8")
    asked = [{"id": f"q{at}", "question": f"When is refund {at} paid?", "answers": ["14 days"], "evidence": ["d1"]} for at in range(4)]
    Path("questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked), encoding="utf-8")
    ended = command("mode=oracle", "dataset=jsonl", "dataset.documents=documents.jsonl", "dataset.questions=questions.jsonl")
    assert ended.mean("abstain/answerable") > 0.5
    assert "it may not be able to read these documents" in ended.out
    assert "may not be able" not in command("mode=oracle", *ECHO, "limit=5").out
