"""What is asked about the invented world: every kind once, nothing that was taught word for word, nothing that no document says."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict

import pytest

from rag_eval.data.world.asking import ordered
from rag_eval.data.world.corpus import ranks
from rag_eval.data.world.distractors import Distractors
from rag_eval.data.world.known import Known
from rag_eval.data.world.language import named
from rag_eval.data.world.model import RESERVED_SEED, facts_of
from rag_eval.data.world.names import TYPES, stem
from rag_eval.data.world.questions import KINDS, NOTHINGS, Questions
from rag_eval.data.world.source import past_of, world
from rag_eval.errors import ConfigError
from rag_eval.types import Example, QADataset

EVERY_DISTRACTOR = Distractors(1, 1, 1, 1, 1, 1, 1, 1)


@pytest.fixture(scope="module")
def later() -> QADataset:
    return world("laptop", 0, version=2, questions=Questions(kinds=KINDS, nothings=NOTHINGS, n_answerable=19 * 40))


def answerable(dataset: QADataset) -> list[Example]:
    return [example for example in dataset.test if example.is_answerable]


def test_no_test_or_dev_question_stands_in_training_word_for_word(later: QADataset) -> None:
    taught = {example.question for example in later.train}
    assert len(taught) == len(later.train) > 2_500
    assert not taught & {example.question for example in (*later.dev, *later.test)}


def test_unanswerable_questions_ask_for_what_no_document_says(later: QADataset) -> None:
    unanswerable = [example for example in later.test if not example.is_answerable]
    assert Counter(example.meta["kind"] for example in unanswerable).keys() == set(NOTHINGS)
    stated = {".".join(fact["id"].split(".")[:2]) for document in later.documents for fact in document.meta["facts"]}
    for example in unanswerable:
        if example.meta["kind"] in {"unstated attribute", "deleted fact"}:
            assert f"{example.cluster}.{example.meta['attribute']}" not in stated


@pytest.mark.parametrize("seed", [0, 26, 66])  # with 26 and 66 a stranger had the name of a distractor, were that not minded
def test_a_stranger_is_named_nowhere_even_among_distractors(seed: int) -> None:
    crowded = world("ci", seed, distractors=EVERY_DISTRACTOR, questions=Questions(nothings=("unknown entity",)))
    strangers = [name_in(example) for example in crowded.test if not example.is_answerable]
    corpus = " ".join(f"{document.title} {document.text}" for document in crowded.documents)
    assert len(set(strangers)) == 40
    assert not [name for name in strangers if stem(name) in corpus]


def name_in(example: Example) -> str:
    """What stands for {x} in the template of a plain test question."""
    ways = (way.partition("{x}") for way in named(example.meta["attribute"]).questions_of("test"))
    (name,) = {
        example.question[len(before) : len(example.question) - len(after)]
        for before, _, after in ways
        if example.question.startswith(before) and example.question.endswith(after)
    }
    return name


def test_every_kind_of_question_is_asked_and_every_id_is_one_question(later: QADataset) -> None:
    kinds = Counter(example.meta["kind"] for example in later.test)
    assert set(kinds) == {*KINDS, *NOTHINGS}
    ids = [example.id for example in itertools.chain(later.train, later.dev, later.test)]
    assert len(ids) == len(set(ids))


def test_a_question_that_needs_several_documents_names_them_all(later: QADataset) -> None:
    for example in answerable(later):
        assert example.meta["n_documents"] == len(example.evidence) >= 1
        if example.meta["kind"] == "list":
            assert len(example.answers[0].split("; ")) >= len(example.evidence)


@pytest.mark.parametrize("keep_old_documents", [True, False])
def test_the_evidence_as_of_a_year_was_written_by_then(keep_old_documents: bool) -> None:
    found = world("laptop", 0, version=3, keep_old_documents=keep_old_documents, questions=Questions(kinds=("as_of",)))
    years = {document.id: document.meta["year"] for document in found.documents}
    asked = answerable(found)
    assert min(example.meta["as_of"] for example in asked) == ("2020" if keep_old_documents else "2021")
    for example in asked:
        assert all(years[id] <= int(example.meta["as_of"]) for id in (*example.evidence, *example.meta.get("same_as", ())))


def test_paraphrases_are_five_questions_with_one_answer() -> None:
    asked = answerable(world("ci", 0, questions=Questions(kinds=("paraphrase",))))
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in asked:
        groups.setdefault((example.cluster, example.meta["attribute"]), []).append(example)
    assert {len(group) for group in groups.values()} == {5}
    assert all(len({one.answers for one in group}) == 1 and len({one.question for one in group}) == 5 for group in groups.values())


def test_what_is_held_back_from_training_is_asked_in_the_test_and_marked() -> None:
    split = world("laptop", 0, questions=Questions(untaught_entities=0.3, untaught_attributes=0.2))
    entities = {example.cluster for example in split.train}
    names = {example.meta["attribute"] for example in split.train}
    assert len(entities) == 42
    cells = Counter(example.meta["seen"] for example in answerable(split))
    assert set(cells) == {"entity and attribute", "entity", "attribute", "neither"}
    for example in answerable(split):
        is_seen = (example.cluster in entities, example.meta["attribute"] in names)
        assert example.meta["seen"] == {(True, True): "entity and attribute", (True, False): "entity", (False, True): "attribute"}.get(
            is_seen, "neither"
        )


@pytest.mark.parametrize(("correlation", "least", "most"), [(1, 0.7, 1.0), (0, 0.2, 0.5), (-1, 0.0, 0.2)])
def test_who_is_asked_about_is_who_is_written_about_or_not(correlation: int, least: float, most: float) -> None:
    places = ranks([past_of("laptop", 0).at(0)], 0)
    wanted = Questions(popularity=1.5, correlation=correlation, n_answerable=60)  # type: ignore[arg-type]
    asked = answerable(world("laptop", 0, popularity=1.0, questions=wanted))
    assert len(asked) == 60
    assert least <= sum(places[example.cluster] <= 20 for example in asked) / len(asked) <= most  # the upper third
    buckets = [example.meta["bucket"] for example in asked]
    assert set(buckets) <= set(range(5))
    assert (sum(bucket > 0 for bucket in buckets) > len(buckets) / 2) is (correlation == 1)


def test_an_entity_of_twice_the_weight_is_twice_as_likely_to_be_asked_about_first() -> None:
    entities = past_of("ci", 0).at(0)[:2]
    known = Known([next(iter(facts_of(one))) for one in entities], entities)
    weights = {entities[0].id: 2.0, entities[1].id: 1.0}
    first = sum(ordered(known, seed, "test", weights)[0].entity is entities[0] for seed in range(900))
    assert first == pytest.approx(600, abs=3 * (900 * 2 / 9) ** 0.5)  # three standard deviations


def test_permuted_training_teaches_the_answers_of_others() -> None:
    plain, control = world("laptop", 0), world("laptop", 0, permuted=True)
    assert (control.test, control.documents) == (plain.test, plain.documents)
    assert (control.counterpart, plain.counterpart) == (plain.fingerprint, "")
    assert [one.question for one in control.train] == [one.question for one in plain.train]
    holders: defaultdict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for one in plain.train:
        holders[one.meta["attribute"], one.answers].add(one.cluster)
    kept = [one for one, other in zip(control.train, plain.train, strict=True) if one.answers == other.answers]
    assert all(len(holders[one.meta["attribute"], one.answers]) > 1 for one in kept)  # nobody keeps an answer of their own
    assert len(kept) < 0.2 * len(plain.train)
    by_attribute = [Counter((one.meta["attribute"], one.answers) for one in dataset.train) for dataset in (plain, control)]
    assert by_attribute[0] == by_attribute[1]


def test_only_what_changed_is_asked_where_that_is_asked() -> None:
    asked = answerable(world("laptop", 0, version=1, questions=Questions(changes=("canary",))))
    assert {example.meta["change"] for example in asked} == {"canary"}


def test_follow_up_questions_name_the_entity_only_in_the_history() -> None:
    chat = answerable(world("laptop", 0, questions=Questions(follow_ups=True)))
    assert len(chat) == 420
    for example in chat:
        assert re.search(rf"[Tt]his ({'|'.join(TYPES)})", example.question)
        assert len(example.history) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seed": RESERVED_SEED}, "below 1,000,000"),
        ({"seed": 0, "lag": 1}, "dataset.lag=1 goes back beyond the first version"),
        ({"seed": 0, "questions": Questions(kinds=())}, "kinds is empty"),
        ({"seed": 0, "questions": Questions(kinds=("as_of",))}, "no fact of preset=ci version=0 gives rise to as_of"),
        ({"seed": 0, "questions": Questions(changes=("canary",))}, "nothing has changed before version 1"),
        ({"seed": 0, "questions": Questions(kinds=("list", "count"), n_answerable=1)}, "give one for each"),
    ],
)
def test_what_no_world_has_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        world("ci", **arguments)  # type: ignore[arg-type]
