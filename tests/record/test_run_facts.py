"""What a record says of a run: what it was, what it could learn from, and what only its end tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag_eval.config.build import system_of
from rag_eval.data.leakage import overlap
from rag_eval.record.facts import RunFacts, WrittenData
from rag_eval.record.run_facts import declarations, known_after, known_before
from rag_eval.retrieve.document_store import documents_sha
from rag_eval.score.metric import Declaration
from rag_eval.score.scoring import Scoring
from rag_eval.testing.finished_runs import facts as recorded_facts
from rag_eval.types import Learned, QADataset, Spend, WrittenByModel
from tests.test_conf import checked
from tests.worlds import world

ECHO = ("generator=echo", "dataset.preset=ci", "prompt.style=chat")
WRITTEN = WrittenByModel("lessons", Spend(1.0), is_hosted=True)


def facts(mode: str, *overrides: str, dataset: QADataset | None = None) -> RunFacts:
    spec, asked = checked(f"mode={mode}", *ECHO, *overrides), dataset or world("ci", 0)
    system = system_of(spec)
    return known_before(spec, asked, asked.test, system, system.prompt.learn(asked), overlap(asked, asked.test))


@pytest.mark.parametrize(("mode", "has_lessons"), [("closed_book", False), ("few_shot", True)])
def test_a_run_learned_from_the_lessons_that_it_was_shown_or_from_the_documents(mode: str, has_lessons: bool) -> None:
    written = replace(world("ci", 0), written=WRITTEN)
    given = () if mode == "few_shot" else ("prompt.n_exemplars=0",)
    found = facts(mode, *given, dataset=written)
    assert found.data.learned_from == (written.fingerprint if has_lessons else documents_sha(written.documents))
    assert found.data.written == (WrittenData("lessons", is_hosted=True) if has_lessons else None)


def test_exemplars_are_compared_unless_the_arm_is_about_them() -> None:
    shown, own = facts("closed_book", "prompt.n_exemplars=4"), facts("few_shot")
    assert shown.comparison.exemplars is not None
    assert (own.comparison.exemplars, own.comparison.n_exemplars) == (None, None)


def test_what_is_known_before_says_what_the_run_is() -> None:
    found = facts("closed_book", "seed=3", "prompt.n_exemplars=0").provenance
    assert (found.mode, found.context, found.weights, found.seed) == ("closed_book", "none", "base", 3)
    assert found.choices["seed"] == 3
    assert found.hardware.device == "cpu"
    assert len(found.source or "") == 16


def test_the_end_adds_what_was_answered() -> None:
    spec, asked = checked("mode=closed_book", *ECHO, "prompt.n_exemplars=0"), world("ci", 0)
    system, questions = system_of(spec), asked.test[:3]
    before = recorded_facts("closed_book", 3, comparison={"adapter_mode": "merged"})
    found = known_after(before, system, Learned(None, None), system.answer(questions), questions)
    assert (found.provenance, found.data) == (before.provenance, before.data)
    assert found.comparison == replace(before.comparison, adapter_mode=None)
    assert found.outcomes.counts.n_questions == 3
    assert (found.outcomes.truncation, found.outcomes.decoded) == (None, None)


def test_scores_of_questions_and_of_the_whole_run_are_declared() -> None:
    spec = checked("mode=closed_book", *ECHO)
    declared = declarations(Scoring({"answer/em": Declaration(asks="form")}, "answer/em"), spec)
    assert declared["answer/em"].asks == "form"
    assert declared["cost/usd_per_correct"].function == spec.metrics.run["usd_per_correct"]
