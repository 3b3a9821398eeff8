"""What a record says of a run: what it was, what it could learn from, and what only its end tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rag_eval.config.build import system_of
from rag_eval.data.leakage import overlap
from rag_eval.data.world.source import world
from rag_eval.record.run_facts import declarations, known_after, known_before
from rag_eval.retrieve.shelf import documents_sha
from rag_eval.score.metric import Declaration
from rag_eval.score.scoring import Scoring
from rag_eval.system import Learned
from rag_eval.types import QADataset, Spend, Written
from tests.test_conf import checked

ECHO = ("generator=echo", "dataset.preset=ci", "prompt.style=chat")
WRITTEN = Written("lessons", Spend(1.0), is_hosted=True)


def facts(mode: str, *overrides: str, dataset: QADataset | None = None) -> dict[str, Any]:
    spec, asked = checked(f"mode={mode}", *ECHO, *overrides), dataset or world("ci", 0)
    system = system_of(spec)
    return known_before(spec, asked, asked.test, system, system.prompt.learn(asked), overlap(asked, asked.test))


@pytest.mark.parametrize(("mode", "has_lessons"), [("closed_book", False), ("few_shot", True)])
def test_a_run_learned_from_the_lessons_that_it_was_shown_or_from_the_documents(mode: str, has_lessons: bool) -> None:
    written = replace(world("ci", 0), written=WRITTEN)
    given = () if mode == "few_shot" else ("prompt.n_exemplars=0",)
    found = facts(mode, *given, dataset=written)
    assert found["learned_from"] == (written.fingerprint if has_lessons else documents_sha(written.documents))
    assert found["written"] == ({"id": "lessons", "is_hosted": True} if has_lessons else None)


def test_exemplars_are_compared_unless_the_arm_is_about_them() -> None:
    shown, own = facts("closed_book", "prompt.n_exemplars=4"), facts("few_shot")
    assert shown["comparison"]["exemplars"] is not None
    assert (own["comparison"]["exemplars"], own["comparison"]["n_exemplars"]) == (None, None)


def test_what_is_known_before_says_what_the_run_is() -> None:
    found = facts("closed_book", "seed=3", "prompt.n_exemplars=0")
    assert (found["mode"], found["context"], found["weights"], found["seed"]) == ("closed_book", "none", "base", 3)
    assert found["choices"]["seed"] == 3
    assert found["hardware"]["device"] == "cpu"
    assert len(found["source"]) == 16


def test_the_end_adds_what_was_answered() -> None:
    spec, asked = checked("mode=closed_book", *ECHO, "prompt.n_exemplars=0"), world("ci", 0)
    system, questions = system_of(spec), asked.test[:3]
    before = {"comparison": {"primary": "answer/em"}, "mode": "closed_book"}
    found = known_after(before, system, Learned(None, None), system.answer(questions), questions)
    assert found["mode"] == "closed_book"
    assert found["comparison"] == {"primary": "answer/em", "adapter_mode": None}
    assert found["counts"]["n_questions"] == 3
    assert (found["truncation"], found["decoded"]) == (None, None)


def test_scores_of_questions_and_of_the_whole_run_are_declared() -> None:
    spec = checked("mode=closed_book", *ECHO)
    declared = declarations(Scoring({"answer/em": Declaration(asks="form")}, "answer/em"), spec)
    assert declared["answer/em"]["asks"] == "form"
    assert declared["cost/usd_per_correct"]["function"] == spec.metrics.run["usd_per_correct"]
