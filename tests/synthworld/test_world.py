"""The invented world: exact gold, phrasings that never meet, nothing to be known beforehand, the same bytes everywhere."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from scipy.stats import chi2_contingency

from rag_eval.types import Example, QADataset
from synthworld.dataset import PRESETS, past_of, world
from synthworld.distractors import Distractors
from synthworld.knowledge import all_frames, frames
from synthworld.model import facts_of, inhabitants
from synthworld.names import TYPES, Names, stem
from synthworld.questions import KINDS, Questions
from synthworld.reader import WorldLanguage
from synthworld.reading_exercises import Course, Exercises, exercises
from synthworld.templates import Split, attributes
from tests.claims import every, none_of

pytestmark = pytest.mark.flow

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
EVERY_DISTRACTOR = Distractors(1, 1, 1, 1, 1, 1, 1, 1)


@pytest.fixture(scope="module")
def laptop() -> QADataset:
    return world("laptop", 0)


def answerable(dataset: QADataset) -> list[Example]:
    return [example for example in dataset.test if example.is_answerable]


def text_of(dataset: QADataset) -> dict[str, str]:
    return {document.id: document.text for document in dataset.documents}


def test_the_same_seed_gives_the_same_bytes_on_any_platform() -> None:
    assert world("ci", 0).fingerprint == "bcef345a9c2fa71bfcd13df8f54d87f5b1a09813a2d3b8762fd8762d7847b2e6"
    assert (
        world("ci", 1, version=3, distractors=EVERY_DISTRACTOR, questions=Questions(kinds=KINDS)).fingerprint
        == "3780ea45973def7fb4b26dc50ce51abb137b7b584db6d30f2f5e05d3194a62b0"
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
            assert every(way.index("{x}") < way.index("{v}") for way in one.statements)
            assert len(set(one.values)) == len(one.values)
    names = [one.name for type in TYPES for one in attributes(type)]
    assert len(names) == len(set(names)) == 41


def test_no_phrasing_belongs_to_two_splits_or_two_attributes() -> None:
    questions = [way for type in TYPES for one in attributes(type) for split in SPLITS for way in one.questions_of(split)]
    assert len(questions) == len(set(questions)) == 41 * 9
    statements = [way for type in TYPES for one in attributes(type) for way in one.statements]
    assert len(statements) == len(set(statements)) == 41 * 8
    for type in TYPES:
        for one in attributes(type):
            assert not set(one.statements_of("train")) & set(one.statements_of("test"))
    for kind in set(all_frames()) - {"paraphrase"}:
        train, dev, test = (set(frames(kind, split)) for split in SPLITS)
        assert min(len(train), len(dev), len(test)) > 0
        assert not train & dev | train & test | dev & test


@pytest.mark.parametrize("part", [str, stem])
def test_no_two_names_differ_by_one_letter(part: Callable[[str], str]) -> None:
    names = Names(random.Random("distinct"), reserved=False)
    words = [part(names.draw(type)).lower() for type in TYPES for _ in range(500)]
    assert len(words) == len(set(words)) == 3_000
    blanks = Counter(blank for word in words for blank in {word[:at] + "_" + word[at + 1 :] for at in range(len(word))})
    assert blanks.most_common(1)[0][1] == 1  # no two are one replaced letter apart
    shorter = {word[:at] + word[at + 1 :] for word in words for at in range(len(word))}
    assert not shorter & set(words)  # nor one letter more or less


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
        assert none_of(sentence in document.text for document in laptop.documents if document.id != evidence)


def test_a_deterministic_attribute_follows_from_another() -> None:
    people = {one.name: one for one in past_of("base", 0).at(0)}
    workers = [one for one in people.values() if one.type == "person"]
    assert len(workers) == 100
    assert every(one.values["workplace"] == people[one.values["employer"]].values["seat"] for one in workers)


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
        assert any(value in old[example.evidence[0].partition("@")[0]] for value in example.grading.stale_answers) or (
            not example.grading.stale_answers
        )
    retained = [example for example in answerable(fresh) if example.meta["change"] == "retained"]
    assert every(old[example.evidence[0]] == new[example.evidence[0]] for example in retained)


def test_a_stale_document_that_says_the_same_counts_as_evidence_and_its_false_values_as_misleading() -> None:
    """A page that was written anew for another fact has another id; the old one still states what is asked."""
    wanted = Questions(changes=("locality",), n_answerable=600)
    stale = world("laptop", 0, version=1, lag=1, distractors=Distractors(counterfactual=1), questions=wanted)
    names = [{one.id: one.name for one in past_of("laptop", 0).at(version)} for version in (0, 1)]
    false = wrong_values_of(stale)
    asked = answerable(stale)
    assert len(asked) > 200
    assert sum(example.evidence[0] not in text_of(stale) for example in asked) > 40
    for example in asked:
        assert example.held(text_of(stale)) is (names[0][example.cluster] == names[1][example.cluster])
        said = false.get((example.cluster, example.meta["attribute"]), set()) - set(example.answers)
        assert said == set(example.grading.misleading_answers)


def wrong_values_of(dataset: QADataset) -> dict[tuple[str, str], set[str]]:
    """What counterfactual pages say, by entity and attribute."""
    ids, reader = {one.name: one.id for one in past_of("laptop", 0).at(0)}, WorldLanguage()
    found: dict[tuple[str, str], set[str]] = {}
    for document in dataset.documents:
        for one in reader.statements(document.text, document.title) if document.meta["kind"] == "counterfactual" else ():
            found.setdefault((ids[one.subject], one.attribute), set()).add(one.value)
    return found


def test_a_page_that_covers_two_others_is_as_good_as_both() -> None:
    """One more page about the popular states facts of several home pages."""
    found = world("ci", 0, popularity=1.0, questions=Questions(kinds=("long",)))
    facts = {one.id: {fact["id"] for fact in one.meta["facts"]} for one in found.documents}
    covering = 0
    for example in answerable(found):
        values = example.answers[0].split("; ")
        needed = {home: {id for id in facts[home] if value_of(id) in values} for home in example.evidence}
        for id, homes in example.grading.same_as.items():
            assert set(homes) == {home for home, ids in needed.items() if ids & facts[id]}
            covering += len(homes) > 1
    assert covering > 20


def value_of(fact: str) -> str:
    """What a fact says, by its id."""
    entity, attribute, _ = fact.split(".")
    return past_of("ci", 0).at(0)[int(entity[1:])].values[attribute]


def test_an_id_names_one_text_in_every_version() -> None:
    texts: dict[str, set[str]] = {}
    for version in (1, 2, 3):
        for id, text in text_of(world("ci", 2, version=version, keep_old_documents=True, distractors=EVERY_DISTRACTOR)).items():
            texts.setdefault(id, set()).add(text)
    assert len(texts) > 500
    assert not [id for id, different in texts.items() if len(different) > 1]


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
    assert none_of("future_answers" in example.meta for example in world("laptop", 0, version=3).test)


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
