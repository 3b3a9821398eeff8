"""The invented world: exact gold, phrasings that never meet, nothing to be known beforehand, the same bytes everywhere."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter

import pytest
from scipy.stats import chi2_contingency

from rag_eval.data.world.asking import Questions
from rag_eval.data.world.corpus import ranks
from rag_eval.data.world.distractors import Distractors
from rag_eval.data.world.known import all_frames, frames
from rag_eval.data.world.language import Split, attributes
from rag_eval.data.world.model import RESERVED_SEED, facts_of, inhabitants
from rag_eval.data.world.names import TYPES, Names, stem
from rag_eval.data.world.questions import KINDS, NOTHINGS
from rag_eval.data.world.reading import Course, Exercises, exercises
from rag_eval.data.world.source import PRESETS, past_of, world
from rag_eval.errors import ConfigError
from rag_eval.types import Example, QADataset

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
EVERY_DISTRACTOR = Distractors(1, 1, 1, 1, 1, 1, 1, 1)


@pytest.fixture(scope="module")
def laptop() -> QADataset:
    return world("laptop", 0)


@pytest.fixture(scope="module")
def later() -> QADataset:
    return world("laptop", 0, version=2, questions=Questions(kinds=KINDS, nothings=NOTHINGS, n_answerable=19 * 40))


def answerable(dataset: QADataset) -> list[Example]:
    return [example for example in dataset.test if example.is_answerable]


def text_of(dataset: QADataset) -> dict[str, str]:
    return {document.id: document.text for document in dataset.documents}


def test_the_same_seed_gives_the_same_bytes_on_any_platform() -> None:
    assert world("ci", 0).fingerprint == "bcef345a9c2fa71bfcd13df8f54d87f5b1a09813a2d3b8762fd8762d7847b2e6"
    assert (
        world("ci", 1, version=3, distractors=EVERY_DISTRACTOR, questions=Questions(kinds=KINDS)).fingerprint
        == "26c5f4cf6562bb54de564f0e219a3b44779e69bba70c0082b619e3ba28122451"
    )


def test_presets_have_the_sizes_that_they_promise(laptop: QADataset) -> None:
    assert {name: size.n_entities for name, size in PRESETS.items()} == {
        "ci": 32,
        "laptop": 60,
        "base": 1_000,
        "large": 10_000,
        "paper": 100_000,
    }
    documented = [one for one in past_of("laptop", 0).at(0) if one.is_documented]
    assert Counter(one.type for one in documented) == {type: 30 if type == "disease" else 6 for type in TYPES}
    assert (len(laptop.test), len(answerable(laptop))) == (500, 420)
    assert len(laptop.train) == 6 * sum(len(one.stated) for one in documented)


def test_every_attribute_has_its_phrasings_and_every_type_twenty_statements_to_train_on() -> None:
    for type in TYPES:
        assert sum(len(one.statements_of("train")) for one in attributes(type)) >= 20
        for one in attributes(type):
            assert (len(set(one.statements)), len(set(one.questions))) == (8, 9)
            assert all(way.index("{x}") < way.index("{v}") for way in one.statements)
            assert len(set(one.values)) == len(one.values)
    names = [one.name for type in TYPES for one in attributes(type)]
    assert len(names) == len(set(names)) == 41


def test_no_phrasing_belongs_to_two_splits_or_two_attributes() -> None:
    questions = [way for type in TYPES for one in attributes(type) for split in SPLITS for way in one.questions_of(split)]
    assert len(questions) == len(set(questions)) == 41 * 9
    for type in TYPES:
        for one in attributes(type):
            assert not set(one.statements_of("train")) & set(one.statements_of("test"))
    for kind in set(all_frames()) - {"paraphrase"}:
        train, dev, test = (set(frames(kind, split)) for split in SPLITS)
        assert min(len(train), len(dev), len(test)) > 0
        assert not train & dev | train & test | dev & test


def test_no_test_or_dev_question_stands_in_training_word_for_word(later: QADataset) -> None:
    taught = {example.question for example in later.train}
    assert len(taught) == len(later.train) > 2_500
    assert not taught & {example.question for example in (*later.dev, *later.test)}


def test_no_two_names_differ_by_one_letter() -> None:
    names = Names(random.Random("distinct"), reserved=False)
    stems = [stem(names.draw(type)).lower() for type in TYPES for _ in range(400)]
    assert len(stems) == len(set(stems)) == 2_400
    blanks = Counter(blank for word in stems for blank in {word[:at] + "_" + word[at + 1 :] for at in range(len(word))})
    assert blanks.most_common(1)[0][1] == 1  # no two are one replaced letter apart
    shorter = {word[:at] + word[at + 1 :] for word in stems for at in range(len(word))}
    assert not shorter & set(stems)  # nor one letter more or less


def test_reserved_worlds_share_no_name_with_evaluated_ones() -> None:
    counts = dict.fromkeys(TYPES, 300)
    reserved = {stem(one.name) for one in inhabitants(random.Random("a"), counts, {}, reserved=True)}
    evaluated = {stem(one.name) for one in inhabitants(random.Random("a"), counts, {}, reserved=False)}
    assert len(reserved) == len(evaluated) == 1_800
    assert not reserved & evaluated


def test_values_do_not_depend_on_names() -> None:
    """Chi-square over each attribute of few values: the first letter of a name says nothing of it (Bonferroni over the attributes)."""
    people = [one for one in inhabitants(random.Random("independence"), dict.fromkeys(TYPES, 2_000), {}, reserved=False)]
    small = [one for type in TYPES for one in attributes(type) if 0 < len(one.values) <= 60]
    assert len(small) >= 8
    for attribute in small:
        table: dict[str, Counter[str]] = {}
        for one in people:
            if one.type == attribute.type:
                table.setdefault(one.name[0], Counter())[one.values[attribute.name]] += 1
        counts = [[row[value] for value in attribute.values] for row in table.values() if row.total() > 100]
        assert len(counts) > 5
        assert chi2_contingency(counts).pvalue > 0.01 / len(small), attribute.name


def test_the_evidence_states_the_answer_in_the_sentence_that_it_names(laptop: QADataset) -> None:
    documents = {document.id: document for document in laptop.documents}
    for example in answerable(laptop):
        (evidence,) = example.evidence
        fact = next(
            one for one in documents[evidence].meta["facts"] if one["id"].split(".")[:2] == [example.cluster, example.meta["attribute"]]
        )
        sentence = documents[evidence].text[fact["start"] : fact["end"]]
        assert example.answers[0] in sentence
        assert sentence.endswith(".")
        assert not any(sentence in document.text for document in laptop.documents if document.id != evidence)


def test_a_deterministic_attribute_follows_from_another() -> None:
    people = {one.name: one for one in past_of("base", 0).at(0)}
    workers = [one for one in people.values() if one.type == "person"]
    assert len(workers) == 100
    assert all(one.values["workplace"] == people[one.values["employer"]].values["seat"] for one in workers)


def test_unanswerable_questions_ask_for_what_no_document_says(later: QADataset) -> None:
    unanswerable = [example for example in later.test if not example.is_answerable]
    assert Counter(example.meta["kind"] for example in unanswerable).keys() == set(NOTHINGS)
    stated = {".".join(fact["id"].split(".")[:2]) for document in later.documents for fact in document.meta["facts"]}
    for example in unanswerable:
        if example.meta["kind"] in {"unstated attribute", "deleted fact"}:
            assert f"{example.cluster}.{example.meta['attribute']}" not in stated


def test_a_stranger_is_named_nowhere_even_among_distractors() -> None:
    crowded = world("laptop", 0, distractors=EVERY_DISTRACTOR, questions=Questions(nothings=("unknown entity",)))
    known = {stem(document.title).lower() for document in crowded.documents}
    strangers = [example for example in crowded.test if not example.is_answerable]
    assert len(strangers) == 80
    corpus = " ".join(document.text for document in crowded.documents)
    for example in strangers:
        named = re.findall(r"[A-Z][a-z]{4,}(?: [A-Z][a-z]+)?|[A-Z]{2}[0-9][A-Z]{2}", example.question)
        assert any(word not in corpus and stem(word).lower() not in known for word in named), example.question


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


@pytest.mark.parametrize(("correlation", "least", "most"), [(1, 0.6, 1.0), (0, 0.1, 0.9), (-1, 0.0, 0.4)])
def test_who_is_asked_about_is_who_is_written_about_or_not(correlation: int, least: float, most: float) -> None:
    places = ranks([past_of("base", 0).at(0)], 0)
    wanted = Questions(popularity=1.5, correlation=correlation, n_answerable=300)  # type: ignore[arg-type]
    asked = answerable(world("base", 0, popularity=1.0, questions=wanted))
    share = sum(places[example.cluster] <= 500 for example in asked) / len(asked)
    assert least <= share <= most
    buckets = {example.meta["bucket"] for example in asked}
    assert buckets <= set(range(5))
    assert (max(buckets) >= 2) is (correlation == 1) or correlation == 0


def test_permuted_training_teaches_the_answers_of_others() -> None:
    plain, control = world("laptop", 0), world("laptop", 0, permuted=True)
    assert (control.test, control.documents) == (plain.test, plain.documents)
    assert (control.counterpart, plain.counterpart) == (plain.fingerprint, "")
    assert [one.question for one in control.train] == [one.question for one in plain.train]
    kept = [one.meta["attribute"] for one, other in zip(control.train, plain.train, strict=True) if one.answers == other.answers]
    assert len(kept) < 0.2 * len(plain.train)  # a few attributes have few values
    by_attribute = [Counter((one.meta["attribute"], one.answers) for one in dataset.train) for dataset in (plain, control)]
    assert by_attribute[0] == by_attribute[1]


def test_a_stale_world_asks_the_same_of_older_documents() -> None:
    fresh, stale = world("laptop", 0, version=1), world("laptop", 0, version=1, lag=1)
    assert [(one.id, one.question, one.answers, one.evidence) for one in stale.test] == [
        (one.id, one.question, one.answers, one.evidence) for one in fresh.test
    ]
    assert stale.counterpart == fresh.fingerprint != stale.fingerprint
    old, new = text_of(stale), text_of(fresh)
    canaries = [example for example in answerable(fresh) if example.meta["change"] == "canary"]
    assert len(canaries) >= 10
    for example in canaries:
        assert example.answers[0] in new[example.evidence[0]]
        assert example.evidence[0] not in old
        assert any(value in old[example.evidence[0].partition("@")[0]] for value in example.meta.get("stale_answers", [])) or (
            "stale_answers" not in example.meta
        )
    retained = [example for example in answerable(fresh) if example.meta["change"] == "retained"]
    assert all(old[example.evidence[0]] == new[example.evidence[0]] for example in retained)


def test_old_documents_are_kept_beside_the_new_ones_where_that_is_asked() -> None:
    tidy, hoard = world("ci", 0, version=2), world("ci", 0, version=2, keep_old_documents=True)
    assert [(one.question, one.answers, one.evidence) for one in hoard.test] == [
        (one.question, one.answers, one.evidence) for one in tidy.test
    ]
    assert set(text_of(tidy).items()) < set(text_of(hoard).items())
    assert set(text_of(world("ci", 0))) <= set(text_of(hoard))
    assert len(text_of(hoard)) > len(text_of(tidy)) + 10


def test_what_will_be_right_is_known_until_the_last_version() -> None:
    future = [example.meta["future_answers"] for example in answerable(world("laptop", 0, version=0)) if "future_answers" in example.meta]
    assert len(future) >= 10
    assert not any("future_answers" in example.meta for example in world("laptop", 0, version=3).test)


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


def test_facts_of_a_documented_entity_are_all_but_one_attribute() -> None:
    for one in past_of("ci", 0).at(0):
        assert len(facts_of(one)) == (len(attributes(one.type)) - 1 if one.is_documented else 0)


def test_reading_exercises_are_the_same_each_time_and_about_other_entities(laptop: QADataset) -> None:
    first, again = Exercises(0, 50)[:50], Exercises(0, 50)[:50]
    assert first == again
    assert not {document.title for document in laptop.documents} & {document.title for one in first for document in one.documents}


def test_an_exercise_is_answered_by_its_passages_or_by_none() -> None:
    course = Course(reserved=True, follow_up_share=0.3, disease_share=0.5)
    found = [one for at in range(40) for one in exercises(random.Random(at), course, n_documents=3, n_entities=3, n_facts=4, n_questions=6)]
    assert 0.05 < sum(not one.example.is_answerable for one in found) / len(found) < 0.3
    for one in found:
        about = [passage.document for passage in one.passages if passage.entity.id == one.example.cluster]
        if one.example.is_answerable:
            assert any(one.example.answers[0] in document.text for document in about)
