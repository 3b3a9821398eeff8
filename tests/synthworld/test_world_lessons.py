"""What may be trained on beside the documents: the same in other words, or the same form about others; nothing of the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rag_eval.data.chunking.chunker import DocumentChunker, Piece
from rag_eval.errors import ConfigError
from rag_eval.record.cache import DirectoryCache
from rag_eval.types import Document, Example, QADataset
from synthworld.dataset import past_of
from synthworld.distractors import Distractors
from synthworld.documents import DocumentStyle
from synthworld.history import History
from synthworld.model import RESERVED_SEED
from synthworld.names import TYPES
from synthworld.templates import attributes, named, state, subject
from synthworld.training_questions import Others, other_seed
from tests.claims import every, none_of
from tests.worlds import world

pytestmark = pytest.mark.flow

SEED = 1  # of every world here


@pytest.fixture(scope="module")
def plain() -> QADataset:
    return world("ci", SEED)


@pytest.fixture(scope="module")
def restated() -> QADataset:
    return world("ci", SEED, n_restatements=3)


def facts(document: Document) -> list[tuple[str, str, str]]:
    """Name, attribute and value of what a document states."""
    people = {one.id: one for one in past_of("ci", SEED).at(0)}
    keys = [one["id"].split(".")[:2] for one in document.meta["facts"]]
    return [(people[id].name, name, people[id].values[name]) for id, name in keys]


def test_a_restatement_says_what_its_document_says_in_training_phrasings_and_no_test_phrasing(restated: QADataset) -> None:
    assert restated.restated.keys() == {document.id for document in restated.documents}
    n_repeated, n = 0, 0
    for document in restated.documents:
        for text in restated.restated[document.id]:
            for name, attribute, value in facts(document):
                ways = {split: {state(way, name, value) for way in named(attribute).statements_of(split)} for split in ("train", "test")}
                assert any(way in text for way in ways["train"])
                assert none_of(way in text for way in ways["test"])
                n_repeated += any(way in text and way in document.text for way in ways["train"])
                n += 1
    assert n > 300
    assert n_repeated < 0.05 * n  # other phrasings than the document's, where there is one left


def test_there_are_as_many_restatements_as_asked_for_and_none_repeats_another_or_a_document(restated: QADataset) -> None:
    assert {len(texts) for texts in restated.restated.values()} == {3}
    # A page of one or two facts can be written in few ways.
    long = [document for document in restated.documents if len(facts(document)) > 2]
    texts = [text for document in long for text in (document.text, *restated.restated[document.id])]
    assert len(set(texts)) == len(texts) > 150


def test_restatements_put_the_facts_in_another_order_unless_it_is_fixed(restated: QADataset) -> None:
    fixed = world("ci", SEED, n_restatements=3, manner=DocumentStyle(order="fixed"))
    kept = {"permuted": 0, "fixed": 0}
    for order, dataset in (("permuted", restated), ("fixed", fixed)):
        for document in dataset.documents:
            for text in dataset.restated[document.id]:
                # A value that stands twice in a text says nothing of the order.
                places = [text.find(value) for _, _, value in facts(document) if text.count(value) == 1]
                kept[order] += places == sorted(places)
    n = 3 * len(restated.documents)
    assert kept["fixed"] > 0.99 * n
    assert kept["permuted"] < 0.6 * n


def test_more_restatements_leave_the_first_ones_as_they_are_and_near_duplicates_are_others(restated: QADataset) -> None:
    more = world("ci", SEED, n_restatements=4)
    assert {id: texts[:3] for id, texts in more.restated.items()} == restated.restated
    with_twins = world("ci", SEED, n_restatements=1, distractors=Distractors(near_duplicate=1))
    twins = {document.text for document in with_twins.documents if document.meta["kind"] == "near_duplicate"}
    assert twins
    assert not twins & {text for texts in with_twins.restated.values() for text in texts}


def test_restatements_change_nothing_but_what_may_be_trained_on(plain: QADataset, restated: QADataset) -> None:
    assert (restated.documents, restated.train, restated.dev, restated.test) == (plain.documents, plain.train, plain.dev, plain.test)
    assert (plain.restated, plain.counterpart) == ({}, "")
    assert restated.counterpart == plain.fingerprint
    assert len({one.fingerprint for one in (plain, restated, world("ci", SEED, n_restatements=2))}) == 3


class Halves:
    """Cuts a text in the middle."""

    name = "halves"

    def identity(self) -> Mapping[str, Any]:
        return {"cutter": "halves"}

    def cut(self, text: str) -> list[Piece]:
        middle = len(text) // 2
        return [Piece(0, middle, 1), Piece(middle, len(text), 1)]


def test_chunks_of_worlds_with_and_without_restatements_are_told_apart(plain: QADataset, restated: QADataset, tmp_path: Any) -> None:
    chunker = DocumentChunker(Halves(), DirectoryCache(str(tmp_path)))
    one, other = chunker.chunk(plain), chunker.chunk(restated)
    assert one.fingerprint != other.fingerprint
    assert one.counterpart == other.counterpart == plain.fingerprint


def test_stale_documents_are_restated_as_they_were() -> None:
    fresh, stale = (world("ci", SEED, version=1, lag=lag, n_restatements=1) for lag in (0, 1))
    assert stale.restated.keys() == {document.id for document in stale.documents}
    assert fresh.restated.keys() == {document.id for document in fresh.documents}
    assert every(text.startswith("Written in 2020. ") for (text,) in stale.restated.values())
    assert stale.counterpart == fresh.counterpart


def test_others_are_of_a_world_that_is_none_of_the_reserved() -> None:
    seeds = (0, 1, RESERVED_SEED // 2, RESERVED_SEED - 1)
    assert every(0 <= other_seed(seed) < RESERVED_SEED for seed in seeds)
    assert none_of(other_seed(seed) == seed for seed in seeds)


def test_others_ask_in_the_same_form_about_nobody_of_this_world(plain: QADataset) -> None:
    names = {one.name for version in range(4) for one in past_of("ci", SEED).at(version)}
    there = {one.name for one in past_of("ci", other_seed(SEED)).at(0)}
    asked = {
        (one.name, subject(way, name)) for type in TYPES for one in attributes(type) for way in one.questions_of("train") for name in there
    }
    assert len(plain.others) == pytest.approx(len(plain.train), rel=0.1)
    for example in plain.others:
        assert none_of(name in example.question for name in names)
        assert (example.meta["attribute"], example.question) in asked
        assert example.evidence == ()
    own = (*plain.train, *plain.dev, *plain.test)
    assert not {example.cluster for example in plain.others} & {example.cluster for example in own}
    assert not {example.id for example in plain.others} & {example.id for example in own}
    assert not {example.question for example in plain.others} & {example.question for example in own}


def test_whoever_this_world_asks_about_is_left_out_of_the_others(plain: QADataset) -> None:
    posed = list(plain.others._posed())  # type: ignore[attr-defined]
    first, second, third, *_ = dict.fromkeys(one.asked.facts[0].entity.name for one in posed)
    namesake = replace(past_of("ci", SEED).at(0)[0], name=first)
    stranger = Example("test-unknown-entity-0", f"What is known of {second}?", ())
    found = Others(lambda: posed, History(((namesake,),), ()), [stranger])
    about = {example.cluster: example.question for example in found}
    assert none_of(name in question for question in about.values() for name in (first, second))
    assert any(third in question for question in about.values())


def test_the_lessons_of_others_teach_the_form_and_leave_the_questions_as_they_are(plain: QADataset) -> None:
    control = world("ci", SEED, lessons="others")
    assert (control.documents, control.dev, control.test) == (plain.documents, plain.dev, plain.test)
    assert list(control.train) == list(plain.others)
    assert control.counterpart == plain.fingerprint != control.fingerprint


@pytest.mark.parametrize("n", [1, 4, 6])
def test_a_fact_is_asked_in_as_many_phrasings_as_wanted_the_first_ones_of_its_attribute(plain: QADataset, n: int) -> None:
    fewer = world("ci", SEED, n_phrasings=n)
    assert list(fewer.train) == [example for example in plain.train if int(example.id.rsplit("-", 1)[1]) < n]
    assert list(fewer.others) == [example for example in plain.others if int(example.id.rsplit("-", 1)[1]) < n]
    assert (fewer.documents, fewer.dev, fewer.test) == (plain.documents, plain.dev, plain.test)
    assert (fewer.counterpart or fewer.fingerprint) == plain.fingerprint
    assert (fewer.fingerprint == plain.fingerprint) == (n == 6)


def test_more_phrasings_than_an_attribute_has_are_refused_with_their_number() -> None:
    with pytest.raises(
        ConfigError, match=r"n_phrasings=7 is more than there are: .* has 6 phrasings .* Set dataset\.n_phrasings=6 or fewer"
    ):
        world("ci", SEED, n_phrasings=7)


def test_two_controls_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match="two controls"):
        world("ci", SEED, permuted=True, lessons="others")
