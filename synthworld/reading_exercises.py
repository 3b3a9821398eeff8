"""Reading exercises: passages about invented entities and questions to be answered from them, or found unanswerable."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from rag_eval.types import Document, Example, ReadingExercise, Turn
from synthworld.documents import DocumentStyle, WrittenText, write
from synthworld.knowledge import KnowledgeBase, WorldQuestion, plain
from synthworld.model import Entity, Fact, facts_of, inhabitants
from synthworld.names import TYPES, Type
from synthworld.questions import Kind, ask, ask_false_premise
from synthworld.templates import Attribute, Split, attributes, this

ALL_SPLITS: tuple[Split, ...] = ("train", "dev", "test")
MANNER = DocumentStyle(openers=0.7)
YEARS = (1990, 2040)  # of dated passages
LINKING_TRIES = 4  # to state something that leads to another passage
KIND_TRIES = 3  # kinds of question that are tried before a plain one


@dataclass(frozen=True)
class Course:
    """What exercises are like."""

    reserved: bool  # whether the entities belong to the worlds reserved for training the embedded model
    splits: tuple[Split, ...] = ("train",)  # whose phrasings are used
    kinds: Mapping[Kind, float] | None = None  # weights of the kinds of question; None = plain ones only
    manner: DocumentStyle = MANNER
    unanswerable_share: float = 0.15  # chance that no passage answers a question
    follow_up_share: float = 0.0  # chance that a plain question continues a conversation about the same entity
    hard_share: float = 0.5  # chance that all passages about the first type state the same attributes
    linked_share: float = 0.0  # chance that passages about what others name are added
    dated_share: float = 0.0  # chance that passages tell their year, and some value has changed
    disease_share: float = 1.0  # chance that the first type is disease


@dataclass(frozen=True)
class Passage:
    """A document with the facts that it states."""

    document: Document
    written: WrittenText
    entity: Entity


@dataclass(frozen=True)
class Exercise:
    """A question over passages."""

    asked: WorldQuestion
    example: Example
    passages: tuple[Passage, ...]  # in the order of the prompt

    @property
    def reading(self) -> ReadingExercise:
        """As a dataset gives it."""
        return ReadingExercise(self.example, tuple(one.document for one in self.passages))


def exercises(rng: random.Random, course: Course, *, n_documents: int, n_entities: int, n_facts: int, n_questions: int) -> list[Exercise]:
    """Exercises over one set of passages.

    Args:
        rng: source of all randomness.
        course: shares of the kinds of exercise.
        n_documents: number of passages about entities of one type; the first n_entities are about different entities, the others about any
            of these.
        n_entities: number of entities that passages are about, at most n_documents.
        n_facts: largest number of attributes that a passage states.
        n_questions: number of exercises.

    Returns:
        The exercises.
    """
    type: Type = "disease" if rng.random() < course.disease_share else rng.choice(TYPES[1:])
    people = _people(rng, type, n_entities, course)
    *subjects, stranger = [one for one in people if one.type == type and one.is_documented]
    about = subjects + [rng.choice(subjects) for _ in range(n_documents - n_entities)]
    facts, is_linked = _stated(rng, about, n_facts, course.hard_share), rng.random() < course.linked_share
    for _ in range(LINKING_TRIES if is_linked else 0):
        if linked := _linked(rng, facts, [one for one in people if one is not stranger], n_facts):
            facts += linked
            break
        facts = _stated(rng, about, n_facts, course.hard_share)
    is_dated = rng.random() < course.dated_share
    passages = _passages(rng, course, facts, people, is_dated)
    known = KnowledgeBase((one.fact for passage in passages for one in passage.written.stated), people)
    return [_exercise(rng, str(at), course, known, stranger, passages) for at in range(n_questions)]


def _people(rng: random.Random, type: Type, n: int, course: Course) -> tuple[Entity, ...]:
    """The entities asked about, one stranger, and some of the other types for them to name."""
    others = {other: rng.randint(1, 2) for other in TYPES if other != type}
    return inhabitants(rng, {**others, type: n + 1}, {other: rng.randint(0, 1) for other in TYPES if other != type}, course.reserved)


def _stated(rng: random.Random, about: list[Entity], n_facts: int, hard_share: float) -> list[list[Fact]]:
    """The facts of each passage; a second passage about an entity does not repeat what the first states."""
    pool = attributes(about[0].type)
    n = min(n_facts, len(pool) - 1)
    shared = rng.sample(pool, n) if rng.random() < hard_share else None
    left = {one.id: rng.sample(one.stated, len(one.stated)) for one in about}
    chosen = []
    for one in about:
        mine = left[one.id]
        wanted = [fact for fact in mine if fact in shared] if shared else []
        facts = (wanted or mine)[:n] or rng.sample(one.stated, n)
        left[one.id] = [fact for fact in mine if fact not in facts]
        chosen.append(list(facts_of(one, rng.sample(facts, len(facts)))))
    return chosen


def _linked(rng: random.Random, facts: list[list[Fact]], people: Sequence[Entity], n_facts: int) -> list[list[Fact]]:
    """Passages about up to three entities that other passages name, or that these name in turn."""
    by_id = {one.id: one for one in people}
    found: dict[str, list[Fact]] = {}
    ahead = [fact for passage in facts for fact in passage]
    for _ in range(rng.randint(1, 3)):
        named = [fact for fact in ahead if fact.attribute.link]
        ids = sorted({fact.entity.links[fact.attribute.name] for fact in named} - found.keys() - {fact.entity.id for fact in ahead})
        ids = [id for id in ids if id in by_id and by_id[id].is_documented]
        if not ids:
            break
        one = by_id[rng.choice(ids)]
        found[one.id] = list(facts_of(one, rng.sample(one.stated, min(n_facts + 1, len(one.stated)))))
        ahead += found[one.id]
    return list(found.values())


def _passages(rng: random.Random, course: Course, facts: list[list[Fact]], people: Sequence[Entity], is_dated: bool) -> tuple[Passage, ...]:
    written: list[tuple[list[Fact], int | None]] = []
    for stated in facts:
        year = rng.randrange(*YEARS) if is_dated else None
        written.append(([replace(fact, since=year) for fact in stated], year))
    if is_dated:
        written += _changed(rng, written, people)
    passages = []
    for at, (stated, year) in enumerate(rng.sample(written, len(written))):
        text = write(stated, course.manner, rng, rng.choice(course.splits), year)
        document = Document(f"d{at}", text.text, stated[0].entity.name)
        passages.append(Passage(document, text, stated[0].entity))
    return tuple(passages)


def _changed(rng: random.Random, written: list[tuple[list[Fact], int | None]], people: Sequence[Entity]) -> list[tuple[list[Fact], int]]:
    """One or two more passages that state another value of what a passage states, some years before or after."""
    known = KnowledgeBase((), people)
    added: list[tuple[list[Fact], int]] = []
    for stated, year in rng.sample(written, min(len(written), rng.randint(1, 2))):
        taken = {other for facts, other in (*written, *added) if facts[0].entity.id == stated[0].entity.id}
        then = rng.choice([one for at in (-3, -2, -1, 1, 2, 3) if (one := (year or 0) + at) not in taken])
        facts = rng.sample(stated, rng.randint(1, len(stated)))
        values = [[value for value in known.values(fact) if value != fact.value] for fact in facts]
        others = [Fact(one.entity, one.attribute, rng.choice(by), then) for one, by in zip(facts, values, strict=True) if by]
        if others:
            added.append((others, then))
    return added


def _exercise(
    rng: random.Random, id: str, course: Course, known: KnowledgeBase, stranger: Entity, passages: tuple[Passage, ...]
) -> Exercise:
    split = rng.choice(course.splits)
    latest = [fact for facts in known.by_entity.values() for fact in facts.values()]
    fact = rng.choice(latest)
    if rng.random() < course.unanswerable_share:
        asked: WorldQuestion | None = _unanswerable(rng, course, known, fact, stranger, split)
    else:
        kinds = rng.choices(tuple(course.kinds), tuple(course.kinds.values()), k=KIND_TRIES) if course.kinds else ()
        tried = (_first(rng, known, latest, kind, split) for kind in kinds)
        asked = next(filter(None, tried), None) or ask("forward", known, fact, split, rng)
    if asked is None:
        raise ValueError("a plain question can be asked of every fact")
    text: str = asked.text
    history: tuple[Turn, ...] = ()
    if asked.kind in {"forward", "unstated attribute"} and rng.random() < course.follow_up_share:
        text, history = _follow_up(rng, known, asked, split)
    meta = {"attribute": asked.attribute, "kind": asked.kind}
    example = Example(id, text, asked.answers, cluster=asked.cluster, history=history, meta=meta, grading=asked.grading)
    return Exercise(asked, example, passages)


def _first(rng: random.Random, known: KnowledgeBase, facts: Sequence[Fact], kind: Kind, split: Split) -> WorldQuestion | None:
    """A question of the kind from the first fact, in random order, that gives rise to one."""
    return next((asked for fact in rng.sample(facts, len(facts)) if (asked := ask(kind, known, fact, split, rng))), None)


def _unanswerable(rng: random.Random, course: Course, known: KnowledgeBase, fact: Fact, stranger: Entity, split: Split) -> WorldQuestion:
    """About a stranger, about what another passage states of somebody else, or under a premise that passages deny."""
    draw = rng.random()
    if draw < 0.1 and course.kinds and (denied := ask_false_premise(known, fact, split, rng)):
        return denied
    missing = _missing(rng, known, fact.entity)
    if draw < 0.5 or missing is None:
        same = [one for one in known.facts if one.entity.type == stranger.type]
        about, kind = Fact(stranger, rng.choice(same).attribute, ""), "unknown entity"
    else:
        about, kind = Fact(fact.entity, missing, ""), "unstated attribute"
    return WorldQuestion(kind, plain(about, split, rng), (), (), about.entity.id, about.attribute.name)


def _missing(rng: random.Random, known: KnowledgeBase, entity: Entity) -> Attribute | None:
    """An attribute that no passage states of the entity; one that some passage states of another tempts most."""
    mine = known.by_entity[entity.id]
    elsewhere = {one.attribute.name: one.attribute for one in known.facts if one.entity.type == entity.type}
    tempting = [one for name, one in elsewhere.items() if name not in mine]
    missing = tempting or [one for one in attributes(entity.type) if one.name not in mine]
    return rng.choice(missing) if missing else None


def _follow_up(rng: random.Random, known: KnowledgeBase, asked: WorldQuestion, split: Split) -> tuple[str, tuple[Turn, ...]]:
    """The question with "this disease" for the name, after another question about it."""
    entity = next(one for one in known.entities if one.id == asked.cluster)
    earlier = [one for one in known.of(entity.id) if one.attribute.name != asked.attribute]
    if not earlier:
        return asked.text, ()
    before = rng.choice(earlier)
    text = asked.text.replace(entity.name, this(entity.type))
    return text[0].upper() + text[1:], (Turn(plain(before, split, rng), before.value),)


class Exercises(Sequence[ReadingExercise]):
    """Exercises in train phrasings about entities of no evaluated world, one to four passages each; made when first looked at."""

    def __init__(self, seed: int, n: int) -> None:
        self._seed, self._n = seed, n
        self._course = Course(reserved=True, disease_share=0.5)
        self._made: dict[int, ReadingExercise] = {}

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, at: int) -> ReadingExercise: ...
    @overload
    def __getitem__(self, at: slice) -> list[ReadingExercise]: ...
    def __getitem__(self, at: int | slice) -> ReadingExercise | list[ReadingExercise]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(self._n))]
        if not 0 <= at < self._n:
            raise IndexError(at)
        if at not in self._made:
            self._made[at] = self._drawn(at)
        return self._made[at]

    def _drawn(self, at: int) -> ReadingExercise:
        rng = random.Random(f"{self._seed}/reading/{at}")
        n_documents = rng.randint(1, 4)
        shape = {"n_documents": n_documents, "n_entities": rng.randint(1, n_documents), "n_facts": 4, "n_questions": 1}
        return exercises(rng, self._course, **shape)[0].reading
