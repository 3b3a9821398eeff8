"""The world's sentences can be read back by their templates, all of them and exactly."""

from __future__ import annotations

import random

import pytest

from rag_eval.data.world.language import attributes, state, subject
from rag_eval.data.world.source import world
from rag_eval.data.world.understanding import WorldLanguage
from rag_eval.types import Stated

LANGUAGE = WorldLanguage()
NAME = "Momlitel ataxia"


@pytest.mark.parametrize("attribute", attributes(), ids=lambda one: one.name)
def test_every_statement_and_question_of_every_split_is_understood(attribute) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(attribute.name)
    for template in attribute.statements:
        for value in rng.sample(attribute.values, min(20, len(attribute.values))):
            assert LANGUAGE.statements(state(template, NAME, value)) == [Stated(NAME, attribute.name, value)]
    for template in attribute.questions:
        assert LANGUAGE.question(subject(template, NAME), ()) == (NAME, attribute.name)


def test_every_document_states_the_facts_that_it_is_evidence_for() -> None:
    dataset = world("ci", 0)
    stated = {document.id: LANGUAGE.statements(document.text) for document in dataset.documents}
    assert {len(facts) for facts in stated.values()} <= {3, 4}
    for example in dataset.test:
        asked = LANGUAGE.question(example.question, ())
        assert asked is not None
        assert asked[1] == example.meta["attribute"]
        for id in example.evidence:
            assert Stated(*asked, example.answers[0]) in stated[id]


def test_a_follow_up_question_is_about_the_disease_of_the_conversation() -> None:
    for example in world("chat", 0).test[:50]:
        asked = LANGUAGE.question(example.question, [turn.question for turn in example.history])
        assert asked is not None
        assert asked[0].endswith(("syndrome", "disease", "disorder", "ataxia", "dystrophy", "anemia"))
    assert LANGUAGE.question("Which organ does this disease mainly affect?", ()) is None


def test_what_is_no_sentence_of_the_world_states_and_asks_nothing() -> None:
    assert LANGUAGE.statements("The Nile is in Egypt. Momlitel ataxia is rare.") == []
    assert LANGUAGE.question("Where is the Nile?", ()) is None
