"""With a scripted reader every number of a run is known beforehand, through search, prompt, scoring and record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.commands import Ended

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
        assert all(row["answer/em"] == row["prompt/holds_evidence"] for row in found)
        assert {row["cause"] for row in found if not row["answer/em"]} == {"not_retrieved"}


def test_e3_a_noisy_reader_errs_on_the_same_questions_in_every_arm(command: Command) -> None:
    noisy = (*WORLD, "generator.error_rate=0.2")
    oracle = {row["example_id"]: row["answer/em"] for row in rows(command("mode=oracle", *noisy))}
    rag = rows(command("mode=rag", *noisy, "retriever/embedder=hashed"))
    assert 0.1 < 1 - sum(oracle.values()) / len(oracle) < 0.3
    assert all(row["answer/em"] == row["prompt/holds_evidence"] * oracle[row["example_id"]] for row in rag)


def test_e9_passages_about_others_take_nothing_from_a_reader_that_minds_the_name(command: Command) -> None:
    for k in (2, 5, 10):
        ended = command(
            "mode=oracle_distract", *WORLD, f"retriever.k={k}", "retriever/embedder@retriever.retriever.embedder=hashed", "limit=60"
        )
        assert ended.mean("answer/em") == 1.0


def test_e19_random_passages_are_worth_nothing(command: Command) -> None:
    ended = command("mode=rag_random", *WORLD)
    assert ended.mean("answer/em") == ended.mean("prompt/holds_evidence") == 0.0


def test_a_refusing_reader_abstains_and_never_errs(command: Command) -> None:
    ended = command("mode=oracle", *WORLD, "generator.refusal_rate=0.5")
    assert 0.3 < ended.mean("outcome/abstained") < 0.7
    assert ended.mean("outcome/wrong") == 0.0
    assert ended.mean("answer/selective_accuracy") == 1.0
