"""With a scripted reader every number of a run is known beforehand, through search, prompt, scoring and record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from synthworld.dataset import past_of
from synthworld.questions import Questions
from tests.claims import every
from tests.commands import Ended
from tests.worlds import world

Command = Callable[..., Ended]
WORLD = ("dataset.preset=ci", "generator=scripted")


def rows(ended: Ended) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.err
    found = [json.loads(line) for line in (ended.directory / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row for row in found if row["is_answerable"]]


@pytest.mark.parametrize("seed", [0, 1])
def test_e1_whoever_is_shown_nothing_knows_no_more_than_the_prior(command: Command, seed: int) -> None:
    prior = command("mode=prior", "dataset.preset=ci", f"dataset.seed={seed}")
    closed = command("mode=closed_book", *WORLD, f"dataset.seed={seed}")
    assert closed.mean("answer/em") == 0.0 <= prior.mean("answer/em") + 0.02
    assert closed.mean("abstain/unanswerable") == 1.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_e2_whoever_is_shown_the_evidence_reads_all_of_it(command: Command, seed: int) -> None:
    ended = command("mode=oracle", *WORLD, f"dataset.seed={seed}")
    assert ended.mean("answer/em") == ended.mean("prompt/holds_evidence") == 1.0
    assert ended.mean("abstain/unanswerable") == 1.0


def test_e3_a_perfect_reader_is_right_exactly_where_the_evidence_is_in_the_prompt(command: Command) -> None:
    for k in (1, 3):
        found = rows(command("mode=rag", *WORLD, "retriever/embedder=hashed", f"retriever.k={k}"))
        assert 0 < sum(row["answer/em"] for row in found) < len(found)
        assert every(row["answer/em"] == row["prompt/holds_evidence"] for row in found)
        assert {row["cause"] for row in found if not row["answer/em"]} == {"not_retrieved"}


def test_e3_a_noisy_reader_errs_on_the_same_questions_in_every_arm(command: Command) -> None:
    noisy = (*WORLD, "generator.error_rate=0.2")
    oracle = {row["example_id"]: row["answer/em"] for row in rows(command("mode=oracle", *noisy))}
    rag = rows(command("mode=rag", *noisy, "retriever/embedder=hashed"))
    assert 0.1 < 1 - sum(oracle.values()) / len(oracle) < 0.3
    assert every(row["answer/em"] == row["prompt/holds_evidence"] * oracle[row["example_id"]] for row in rag)


def test_e9_passages_about_others_take_nothing_from_a_reader_that_minds_the_name(command: Command) -> None:
    for k in (2, 5, 10):
        ended = command(
            "mode=oracle_distract", *WORLD, f"retriever.k={k}", "retriever/embedder@retriever.retriever.embedder=hashed", "limit=60"
        )
        assert ended.mean("answer/em") == 1.0


def test_e19_random_passages_are_worth_nothing(command: Command) -> None:
    ended = command("mode=rag_random", *WORLD)
    assert ended.mean("answer/em") == ended.mean("prompt/holds_evidence") == 0.0


def test_e11_a_stale_index_gives_the_old_value_of_what_changed_and_the_right_one_of_the_rest(command: Command) -> None:
    now = (*WORLD, "dataset.version=1", "retriever/embedder=hashed", "retriever.k=10")
    changed = rows(command("mode=rag_stale", *now, "dataset.questions.changes=[canary]"))
    assert len(changed) >= 8
    assert every(row["answer/em"] == 0.0 for row in changed)
    assert sum(row["answer/stale"] for row in changed if "answer/stale" in row) >= len(changed) / 2
    stale_run, fresh_run = (command(f"mode={mode}", *now) for mode in ("rag_stale", "rag"))
    assert stale_run.record["facts"]["comparison"] == fresh_run.record["facts"]["comparison"]
    everything, fresh = ({row["example_id"]: row for row in rows(one)} for one in (stale_run, fresh_run))
    assert everything.keys() == fresh.keys()
    retained = [id for id, row in fresh.items() if row["change"] == "retained"]
    assert len(retained) > 20
    canaries = [id for id, row in fresh.items() if row["change"] == "canary"]
    assert sum(everything[id]["answer/em"] for id in canaries) == 0.0 < sum(fresh[id]["answer/em"] for id in canaries)
    # Closed form: what did not change about those who were there before, by that name, is answered as by a fresh index, all else never.
    past = past_of("ci", 0)
    same = {new.id for old, new in zip(past.at(0), past.at(1), strict=True) if old.is_documented and old.name == new.name}
    there = [id for id, row in fresh.items() if row["change"] != "canary" and row["cluster"] in same]
    assert len(there) > 100
    assert sum(row["answer/em"] for row in everything.values()) == sum(everything[id]["answer/em"] for id in there)
    assert [everything[id]["answer/em"] for id in there] == [fresh[id]["answer/em"] for id in there]


def test_e11_where_old_documents_are_kept_the_date_decides(command: Command) -> None:
    kept = (*WORLD, "dataset.version=2", "dataset.keep_old_documents=true", "dataset.questions.changes=[canary]")
    asked = (*kept, "mode=long_context", "n_probe=0")
    newest = rows(command(*asked, "generator.which=newest"))
    oldest = rows(command(*asked, "generator.which=oldest"))
    assert every(row["answer/em"] == 1.0 for row in newest)
    old = [row for row in oldest if "answer/stale" in row]
    assert len(old) >= 5
    assert every(row["answer/stale"] == 1.0 - row["answer/em"] for row in old)
    assert sum(row["answer/stale"] for row in old) > 0


@pytest.mark.parametrize("kind", ["list", "count"])
def test_e13_what_takes_more_documents_than_fit_is_never_right(command: Command, kind: str) -> None:
    grouped = (*WORLD, f"dataset.questions.kinds=[{kind}]", "dataset.questions.nothings=[]", "mode=oracle")
    dataset = world("ci", 0, questions=Questions(kinds=(kind,), nothings=()))  # type: ignore[arg-type]
    needed = {example.id: len(example.evidence) for example in dataset.test}
    assert max(needed.values()) > 3
    for k in (1, 2, 3, 40):
        for row in rows(command(*grouped, f"retriever.k={k}")):
            assert row["answer/em"] == float(needed[row["example_id"]] <= k)


def test_e17_a_false_document_misleads_whoever_trusts_it_and_nobody_who_is_shown_nothing(command: Command) -> None:
    false = (*WORLD, "dataset.distractors.counterfactual=1", "mode=long_context", "n_probe=0", "limit=60")
    trusting = rows(command(*false, "generator.which=last"))
    assert every(row["answer/misled"] == 1.0 and row["answer/em"] == 0.0 for row in trusting if "answer/misled" in row)
    assert sum("answer/misled" in row for row in trusting) > 30
    wary = rows(command(*false, "generator.which=last", "generator.trusting=false"))
    assert every(row["answer/em"] == 1.0 for row in wary)
    closed = [rows(command("mode=closed_book", *WORLD, *more)) for more in ((), ("dataset.distractors.counterfactual=1",))]
    assert [row["answer/em"] for row in closed[0]] == [row["answer/em"] for row in closed[1]]


def test_e20_two_hops_are_right_exactly_where_both_documents_are_in_the_prompt(command: Command) -> None:
    asked = (*WORLD, "dataset.questions.kinds=[two_hop]", "mode=rag", "retriever/embedder=hashed")
    found = rows(command(*asked, "retriever.k=5"))
    assert 0 < sum(row["answer/em"] for row in found) < len(found)
    assert every(row["answer/em"] == row["prompt/holds_evidence"] for row in found)


@pytest.mark.parametrize("seed", [0, 1])
def test_permuted_answers_leave_a_guesser_where_it_was(command: Command, seed: int) -> None:
    plain, control = (
        command("mode=prior", "dataset.preset=ci", f"dataset.seed={seed}", f"dataset.permuted={value}") for value in ("false", "true")
    )
    assert control.mean("answer/em") == plain.mean("answer/em")
    assert control.record["facts"]["comparison"] == plain.record["facts"]["comparison"]


def test_a_refusing_reader_abstains_and_never_errs(command: Command) -> None:
    ended = command("mode=oracle", *WORLD, "generator.refusal_rate=0.5")
    assert 0.3 < ended.mean("outcome/abstained") < 0.7
    assert ended.mean("outcome/wrong") == 0.0
    assert ended.mean("answer/selective_accuracy") == 1.0
