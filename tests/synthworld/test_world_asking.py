"""What is asked about the invented world: every kind once, nothing that was taught word for word, nothing that no document says."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter, defaultdict

import pytest

from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.errors import ConfigError
from rag_eval.score.comparators import compare
from rag_eval.types import Example, QADataset
from synthworld.corpus import pages, ranks
from synthworld.dataset import Version, known_in, past_of
from synthworld.distractors import Distractors
from synthworld.documents import DocumentStyle
from synthworld.evidence import Index
from synthworld.knowledge import KnowledgeBase, WorldQuestion
from synthworld.model import RESERVED_SEED, Fact, facts_of
from synthworld.names import TYPES, stem
from synthworld.question_sampling import answerable as answers
from synthworld.question_sampling import ordered
from synthworld.questions import CHANGES, KINDS, NOTHINGS, Change, Kind, Questions, ask, ask_false_premise
from synthworld.reader import WorldLanguage
from synthworld.templates import named
from tests.claims import every
from tests.worlds import world

pytestmark = pytest.mark.flow

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
    assert min(example.grading.as_of for example in asked) == ("2020" if keep_old_documents else "2021")
    for example in asked:
        assert every(years[id] <= int(example.grading.as_of) for id in (*example.evidence, *example.grading.same_as))


def test_paraphrases_are_five_questions_with_one_answer() -> None:
    asked = answerable(world("ci", 0, questions=Questions(kinds=("paraphrase",))))
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in asked:
        groups.setdefault((example.cluster, example.meta["attribute"]), []).append(example)
    assert {len(group) for group in groups.values()} == {5}
    assert every(len({one.answers for one in group}) == 1 and len({one.question for one in group}) == 5 for group in groups.values())


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
    known = KnowledgeBase([next(iter(facts_of(one))) for one in entities], entities)
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
    assert every(len(holders[one.meta["attribute"], one.answers]) > 1 for one in kept)  # nobody keeps an answer of their own
    assert len(kept) < 0.2 * len(plain.train)
    by_attribute = [Counter((one.meta["attribute"], one.answers) for one in dataset.train) for dataset in (plain, control)]
    assert by_attribute[0] == by_attribute[1]


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_changed_is_asked_where_that_is_asked(change: Change) -> None:
    kinds: tuple[Kind, ...] = ("forward", "two_hop", "comparison", "list")
    asked = answerable(world("laptop", 0, version=1, questions=Questions(kinds=kinds, changes=(change,), n_answerable=80)))
    assert {example.meta["change"] for example in asked} == {change}
    before = {one.id: one.is_documented for one in past_of("laptop", 0).at(0)}
    assert {before[one.cluster] for one in asked if one.meta["kind"] == "forward"} == {change != "newcomer"}


@pytest.mark.parametrize("kind", ["two_hop", "comparison", "count", "list", "reverse"])
def test_what_a_stale_corpus_answers_wrongly_is_what_was_right_before_and_a_canary(kind: Kind) -> None:
    """A perfect reader of the old documents; where two had a value, either name is wrong and neither was right."""
    stale, reader = world("laptop", 0, version=1, lag=1, questions=Questions((kind,), (), n_answerable=600)), WorldLanguage()
    statements = [one for document in stale.documents for one in reader.statements(document.text, document.title)]
    wrong = 0
    for example in stale.test:
        said = reader.answer(example.question, (), statements)
        if said is None or compare(said, example) == 1.0:
            continue
        wrong += 1
        assert example.meta["change"] in {"canary", "newcomer"}
        assert kind == "reverse" or said in example.grading.stale_answers
    assert wrong > 2


def test_a_stale_answer_to_a_question_about_a_year_held_before_it() -> None:
    found = world("laptop", 0, version=3, keep_old_documents=True, questions=Questions(kinds=("as_of",)))
    for example in answerable(found):
        held = past_of("laptop", 0).timeline(example.cluster, example.meta["attribute"], 3)
        later = {value for version, value in held if 2020 + version > int(example.grading.as_of)} - {value for version, value in held[:1]}
        assert not later & set(example.grading.stale_answers)
        assert "future_answers" not in example.meta


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_is_asked_about_years_after_the_version(version: Version) -> None:
    asked = answerable(world("laptop", 0, version=version, keep_old_documents=True, questions=Questions(kinds=("as_of",))))
    assert max(example.grading.as_of for example in asked) == str(2020 + version)


def test_evidence_bears_the_name_that_is_asked_for() -> None:
    found = world("ci", 1, version=3, keep_old_documents=True, questions=Questions(kinds=("as_of", "forward"), n_answerable=600))
    names, titles = {one.id: one.name for one in past_of("ci", 1).at(3)}, {one.id: one.title for one in found.documents}
    for example in answerable(found):
        assert {titles[id] for id in example.holders} == {names[example.cluster]}


def test_what_a_kept_page_still_says_is_not_asked_as_if_nothing_said_it() -> None:
    wanted = Questions(nothings=("deleted fact", "false premise"))
    tidy, hoard = (world("ci", 1, version=3, keep_old_documents=keep, questions=wanted) for keep in (False, True))
    kinds = [Counter(example.meta["kind"] for example in one.test if not example.is_answerable) for one in (tidy, hoard)]
    assert (kinds[0]["deleted fact"], kinds[1]["deleted fact"]) == (3, 0)
    assert kinds[0]["false premise"] == kinds[1]["false premise"] == 20


def test_a_premise_that_once_held_is_not_false_while_the_old_page_is_kept() -> None:
    past = past_of("ci", 0)
    stated = {(one.id, attribute.name) for one in past.at(0) for attribute in one.stated}
    change = next(one for one in past.events if one.kind == "change" and (one.entity_id, one.attribute) in stated)
    now = past.at(change.version)
    fact = Fact(now[past.place(change.entity_id)], named(change.attribute), change.old)
    asked = WorldQuestion("false premise", "?", (), (fact,), change.entity_id, change.attribute)
    versions = [past.at(version) for version in range(change.version + 1)]
    for keep, is_silent in ((False, True), (True, False)):
        corpus = list(pages(versions, 0, DocumentStyle(), 0.0, keep, is_dated=True))
        assert Index(corpus, past, change.version).is_silent(asked) is is_silent


def test_a_false_premise_names_the_value_that_it_takes_for_true() -> None:
    known = known_in(past_of("ci", 0), 0)
    for fact in known.of("e00000"):
        asked = ask_false_premise(known, fact, "test", random.Random(0))
        assert asked
        assert asked.facts[0].value in asked.text
        assert asked.facts[0].value != fact.value


@pytest.mark.parametrize("kind", ["long", "two_hop", "true_premise"])
def test_one_changed_value_among_those_that_a_question_takes_makes_it_a_canary(kind: Kind) -> None:
    past = past_of("laptop", 0)
    known = known_in(past, 1)
    index = Index(list(pages([past.at(0), past.at(1)], 0, DocumentStyle(), 0.0, False, is_dated=True)), past, 1)
    takes = [asked for fact in known.facts if (asked := ask(kind, known, fact, "test", random.Random(0)))]
    changed = [any(fact.key in past.changed(1) for fact in asked.facts) for asked in takes]
    assert 5 < sum(changed) < len(takes)
    assert [index.change(asked) == "canary" for asked in takes] == changed


def test_a_workplace_is_not_called_unstated_where_employer_and_seat_are_stated() -> None:
    people = past_of("base", 0).at(0)
    asked = {
        one.cluster for one in world("base", 0).test if one.meta["kind"] == "unstated attribute" and one.meta["attribute"] == "workplace"
    }
    assert not [
        one.id
        for one in people
        if one.id in asked
        and any(stated.name == "seat" for stated in people[int(one.links["employer"][1:])].stated)
        and any(stated.name == "employer" for stated in one.stated)
    ]


def test_house_style_is_taught_where_it_is_asked_and_passed_on_in_the_control() -> None:
    wanted = Questions(kinds=("house", "forward"))
    plain, styled, control = world("ci", 0), world("ci", 0, questions=wanted), world("ci", 0, permuted=True, questions=wanted)
    house = [one for one in styled.train if one.meta["kind"] == "house"]
    assert len(house) == len(plain.train) // 6
    assert every(one.answers[0].startswith("finding: ") for one in house)
    assert [one for one in styled.train if one.meta["kind"] != "house"] == list(plain.train)
    assert Counter(one.answers for one in control.train) == Counter(one.answers for one in styled.train)
    assert not {one.question for one in house} & {one.question for one in styled.test}


def test_an_entity_of_one_fact_is_asked_about_plainly_where_conversations_are_asked_for() -> None:
    one = past_of("ci", 0).at(0)[0]
    known = KnowledgeBase(facts_of(one)[:1], [one])
    (posed,) = answers(known, [*known.facts], Questions(follow_ups=True), 1, "test", 0, lambda asked: True)
    assert (posed.history, one.name in posed.asked.text) == ((), True)


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
        ({"seed": 0, "questions": Questions(kinds=("list", "list"))}, r"kinds is \['list', 'list'\], with list more than once"),
        ({"seed": 0, "questions": Questions(nothings=("deleted fact", "deleted fact"))}, "nothings is .* more than once"),
        ({"seed": 0, "version": 1, "questions": Questions(changes=("canary", "canary"))}, "changes is .* more than once"),
    ],
)
def test_what_no_world_has_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        world("ci", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("dataset.questions.popularity=2000", "dataset.questions.popularity is 2000"),
        ("dataset.manner.styles=[]", r"dataset.manner.styles is \[\]"),
    ],
)
def test_what_no_world_can_be_made_of_is_found_in_the_configuration(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(composed([override]))
