"""The invented world: exact gold, phrasings that never meet, the same bytes everywhere."""

from __future__ import annotations

import random
import zlib

import pytest

from rag_eval.data.world.language import Split, attributes, majority_share
from rag_eval.data.world.model import RESERVED_SEED, diseases
from rag_eval.data.world.reading import Exercises, exercises
from rag_eval.data.world.source import PRESETS, world
from rag_eval.errors import ConfigError
from rag_eval.types import QADataset


@pytest.fixture(scope="module")
def laptop() -> QADataset:
    return world("laptop", 0)


def test_the_same_seed_gives_the_same_bytes_on_any_platform() -> None:
    assert world("ci", 0).fingerprint == "e8d0bad99218f0b323887548e3599ee757f9b0aa59327597dc7c5654e1f8df7b"
    assert world("ci", 1).fingerprint == "b89a5a85cae718772a1e998312239c80ed7e1588126c8b832314247f9fc21852"


def test_presets_have_the_sizes_that_they_promise(laptop: QADataset) -> None:
    assert {name: size.n_diseases for name, size in PRESETS.items()} == {"ci": 32, "laptop": 60, "chat": 60, "base": 1_000, "large": 10_000}
    assert (len(laptop.documents), len(laptop.train), len(laptop.test)) == (180, 60 * 12 * 6, 500)
    assert sum(example.is_answerable for example in laptop.test) == 420


def test_every_attribute_has_a_pool_and_enough_phrasings() -> None:
    assert len(attributes()) == 13
    for attribute in attributes():
        assert len(set(attribute.values)) == len(attribute.values)
        assert len(set(attribute.statements)) >= 8
        assert len(set(attribute.questions)) >= 8
        assert all(one.index("{x}") < one.index("{v}") for one in attribute.statements)
        assert 2**attribute.bits == pytest.approx(len(attribute.values))


def test_no_phrasing_belongs_to_two_splits_or_two_attributes() -> None:
    splits: tuple[Split, ...] = ("train", "dev", "test")
    questions = [question for attribute in attributes() for split in splits for question in attribute.questions_of(split)]
    assert len(questions) == len(set(questions)) == 13 * 9
    for attribute in attributes():
        assert not set(attribute.statements_of("train")) & set(attribute.statements_of("test"))


def test_test_questions_share_no_wording_with_training(laptop: QADataset) -> None:
    assert not {example.question for example in laptop.train} & {example.question for example in laptop.test}


def test_the_evidence_is_the_one_document_that_states_the_fact(laptop: QADataset) -> None:
    by_name: dict[str, list[str]] = {}
    text = {document.id: document.text for document in laptop.documents}
    for document in laptop.documents:
        by_name.setdefault(document.title, []).append(document.id)
    phrasings = {attribute.name: attribute for attribute in attributes()}
    for example in laptop.test:
        if not example.is_answerable:
            continue
        (evidence,) = example.evidence
        name = next(document.title for document in laptop.documents if document.id == evidence)
        stated = [one.replace("{x}", name) for one in phrasings[example.meta["attribute"]].statements_of("train")]
        holds = [id for id in by_name[name] if any(_states(text[id], one, example.answers[0]) for one in stated)]
        assert holds == [evidence]


def _states(text: str, statement: str, value: str) -> bool:
    sentence = statement.replace("{v}", value)
    return any(sentence[1:].replace(f" a {value}", f" {article} {value}") in text for article in ("a", "an"))


def test_unanswerable_questions_ask_for_what_no_document_says(laptop: QADataset) -> None:
    corpus = " ".join(document.text for document in laptop.documents)
    kinds = [example.meta["kind"] for example in laptop.test if not example.is_answerable]
    assert sorted(set(kinds)) == ["unknown entity", "unstated attribute"]
    assert kinds.count("unknown entity") == kinds.count("unstated attribute") == 40
    for example in laptop.test:
        if example.meta["kind"] == "unknown entity":
            stem = next(word for word in example.question.split() if word[0].isupper() and word not in _FIRST_WORDS)
            assert stem not in corpus


_FIRST_WORDS = {one.split()[0] for attribute in attributes() for one in attribute.questions} | {
    "In",
    "By",
    "The",
    "Without",
    "A",
    "To",
    "At",
}


def test_values_do_not_depend_on_names() -> None:
    # With 2,000 diseases and 4 values, the share of each value among names of one first letter stays near a quarter.
    people = list(diseases(random.Random("independence"), 2_000, reserved=False))
    for letter in "BDGK":
        values = [one.values["inheritance"] for one in people if one.name.startswith(letter)]
        assert len(values) > 80
        assert majority_share(values) < 0.40


def test_reserved_worlds_share_no_name_with_evaluated_ones() -> None:
    reserved = {one.name.split()[0] for one in diseases(random.Random("a"), 3_000, reserved=True)}
    evaluated = {one.name.split()[0] for one in diseases(random.Random("a"), 3_000, reserved=False)}
    assert len(reserved) == len(evaluated) == 3_000
    assert not reserved & evaluated
    assert all(zlib.crc32(stem.encode()) % 2 == 1 for stem in reserved)


def test_a_reserved_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match="below 1,000,000"):
        world("ci", RESERVED_SEED)


def test_follow_up_questions_name_the_disease_only_in_the_history() -> None:
    chat = world("chat", 0)
    asked = [example for example in chat.test if example.is_answerable]
    assert len(asked) == 420
    for example in asked:
        assert "this disease" in example.question
        assert len(example.history) == 1
        assert example.answers[0] != example.history[0].answer or example.meta["attribute"] in {"inheritance", "onset"}


def test_reading_exercises_are_the_same_each_time_and_about_other_diseases(laptop: QADataset) -> None:
    first, again = Exercises(0, 50)[:50], Exercises(0, 50)[:50]
    assert first == again
    names = {document.title for document in laptop.documents}
    assert not names & {document.title for one in first for document in one.documents}


def test_an_exercise_is_answered_by_its_passages_or_by_none() -> None:
    found = [
        one
        for at in range(40)
        for one in exercises(random.Random(at), n_documents=3, n_diseases=3, n_facts=4, n_questions=6, reserved=True, follow_up_share=0.3)
    ]
    assert 0.05 < sum(not one.example.is_answerable for one in found) / len(found) < 0.3
    for one in found:
        about = [document for document in one.documents if document.title == one.example.cluster]
        if one.example.is_answerable:
            assert any(one.example.answers[0] in document.text for document in about)
