"""The invented world as a dataset: documents that state facts, and questions about them in phrasings never trained on."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from rag_eval.errors import ConfigError
from rag_eval.fingerprint import fingerprint
from rag_eval.types import Example, QADataset
from synthworld.corpus import Page, pages, ranks
from synthworld.distractors import Background, Distractors, distract
from synthworld.documents import DocumentStyle
from synthworld.evidence import Index
from synthworld.history import N_VERSIONS, History, history, year
from synthworld.knowledge import KnowledgeBase, WorldQuestion
from synthworld.model import RESERVED_SEED, Entity, Fact, inhabitants
from synthworld.names import TYPES, Type
from synthworld.question_sampling import Posed, answerable, ordered, taught, training, unanswerable
from synthworld.questions import CHANGES, Questions
from synthworld.reading_exercises import Exercises
from synthworld.templates import attributes
from synthworld.training_questions import Others, other_seed, own_lessons, restatements

log = logging.getLogger(__name__)

ONE_IN = 30  # documented entities appear newly in each version
N_NAMES = 20  # of each type that others may name, documented or not, at least
OTHERS_SHARE = 10  # per cent of the entities that are of each type but diseases
MANNER, DISTRACTORS, QUESTIONS = DocumentStyle(), Distractors(), Questions()

Version = Annotated[int, Field(ge=0, le=3)]


@dataclass(frozen=True)
class Preset:
    """The size of a world."""

    n_entities: int  # documented in version 0
    n_answerable: int  # test questions that a document answers
    n_unanswerable: int
    n_train_phrasings: int = 6  # training questions a fact
    n_reading: int = 1200


PRESETS = {
    "ci": Preset(32, 160, 40),
    "laptop": Preset(60, 420, 80),
    "base": Preset(1_000, 2_700, 300),
    "large": Preset(10_000, 2_700, 300, n_train_phrasings=1),
    "paper": Preset(100_000, 2_700, 300, n_train_phrasings=1),
}


def world(
    preset: Literal["ci", "laptop", "base", "large", "paper"],
    seed: NonNegativeInt,
    version: Version = 0,
    lag: Version = 0,
    keep_old_documents: bool = False,
    popularity: NonNegativeFloat = 0.0,
    permuted: bool = False,
    lessons: Literal["own", "others"] = "own",
    n_restatements: NonNegativeInt = 0,
    n_phrasings: PositiveInt | None = None,
    manner: DocumentStyle = MANNER,
    distractors: Distractors = DISTRACTORS,
    questions: Questions = QUESTIONS,
) -> QADataset:
    """Build the world of a seed.

    Every stated fact is on exactly one home page, which is its evidence; other documents that state it are named in `same_as`. Training
    questions cover every fact in train phrasings, dev and test questions a sample of the facts in phrasings of their own.

    Args:
        preset: size of the world.
        seed: below 1,000,000; higher seeds are reserved for training the embedded model.
        version: version of the world that is asked about, which decides the right answers.
        lag: number of versions by which documents, training and dev questions are older: what a stale system knows.
        keep_old_documents: whether a rewritten document is added instead of replacing the old one.
        popularity: Zipf exponent of the number of documents per entity.
        permuted: control: every training question has the answer of another entity.
        lessons: whose training questions are used: those of this world or, as a control, of another world with no entity of this one.
        n_restatements: number of further texts of each home page, in other words, for training.
        n_phrasings: number of training questions for each fact, in the first phrasings of its attribute; None = as the preset says.
        manner: style of the documents.
        distractors: numbers of documents for each home page that answer nothing.
        questions: which questions are asked.

    Returns:
        The dataset.

    Raises:
        ConfigError: if the seed is reserved, the lag is longer than the history, nothing is left to ask, two controls are mixed, or an
            attribute has fewer training phrasings.
    """
    _check(seed, version, lag, questions)
    _check_phrasings(n_phrasings)
    if permuted and lessons == "others":
        raise ConfigError("dataset.permuted and dataset.lessons=others are two controls; set one of them.")
    size, past = PRESETS[preset], past_of(preset, seed)

    def documents_of(version_of: int) -> tuple[Page, ...]:
        return tuple(written(past, version_of, seed, keep_old_documents, popularity, version > 0, manner, distractors))

    now, current = known_in(past, version), documents_of(version)
    index = Index(current, past, version)
    then, corpus, before, stale = now, current, index, index
    if lag:
        then, corpus = known_in(past, version - lag), documents_of(version - lag)
        before, stale = Index(corpus, past, version - lag), Index(current, past, version, corpus)

    def is_wanted(asked: WorldQuestion) -> bool:
        return index.answers(asked) and (not version or index.change(asked) in questions.changes)

    facts = ordered(now, seed, "test", _weights(past, version, questions, seed) if questions.popularity else None)
    n = questions.n_answerable or size.n_answerable
    titles = (page.name for page in current)
    asked = (
        *answerable(now, facts, questions, n, "test", seed, is_wanted),
        *unanswerable(now, facts, questions, size.n_unanswerable, past.at(version), seed, titles, index.is_silent),
    )
    test = _marked(map(stale.example, asked), taught(then, questions, seed))
    _report_lacking(test, questions, f"preset={preset} version={version}")
    n_taught, n_dev = n_phrasings or size.n_train_phrasings, 2 * size.n_entities
    train, dev = own_lessons(then, before, questions, seed, n_phrasings=n_taught, n_dev=n_dev, permuted=permuted)
    documents = tuple(page.document for page in corpus)
    others = Others(lambda: _elsewhere(preset, seed, version - lag, questions, n_taught), past, test)
    if lessons == "others":
        train = tuple(others)
    restated = restatements(corpus, past, n_restatements, distractors, manner, seed)
    counterpart = ""
    if lag or permuted or restated or lessons == "others" or n_taught != size.n_train_phrasings:
        usual = own_lessons(now, index, questions, seed, n_phrasings=size.n_train_phrasings, n_dev=n_dev, permuted=False)
        fresh = _marked(map(index.example, asked), taught(now, questions, seed))
        counterpart = fingerprint((page.document for page in current), *usual, fresh)
    return QADataset(
        name=f"world-{preset}-{seed}" + (f"-v{version}" if version else ""),
        fingerprint=fingerprint(documents, train, dev, test, restated),
        documents=documents,
        train=train,
        dev=dev,
        test=test,
        reading=Exercises(seed, size.n_reading),
        restated=restated,
        others=others,
        counterpart=counterpart,
    )


def _elsewhere(preset: str, seed: int, version: int, questions: Questions, n_phrasings: int) -> Iterator[Posed]:
    """The training questions of another world of the same size."""
    other = other_seed(seed)
    return training(known_in(past_of(preset, other), version), questions, n_phrasings, other)


@lru_cache(maxsize=4)
def past_of(preset: str, seed: int) -> History:
    """All versions of a world. The same object for the same arguments, as long as it is among the last few."""
    n = PRESETS[preset].n_entities
    n_new = max(1, n // ONE_IN)
    documented: dict[Type, int] = {type: n * OTHERS_SHARE // 100 for type in TYPES[1:]}
    documented["disease"] = n - sum(documented.values()) + n_new * (N_VERSIONS - 1)
    others: dict[Type, int] = {type: max(0, N_NAMES - documented[type]) for type in TYPES[1:]}
    entities = inhabitants(random.Random(f"{seed}/inhabitants"), documented, others, reserved=False)
    diseases = [one.id for one in entities if one.type == "disease"][-n_new * (N_VERSIONS - 1) :]
    return history(entities, {id: 1 + at // n_new for at, id in enumerate(diseases)}, seed)


def known_in(past: History, version: int) -> KnowledgeBase:
    """What the documents of a version state, with what they stated before."""
    entities = past.at(version)
    return KnowledgeBase((fact for one in entities for fact in _facts(one, past, version)), entities, year(version))


def _facts(entity: Entity, past: History, version: int) -> Iterator[Fact]:
    for attribute in entity.stated:
        for begun, value in past.timeline(entity.id, attribute.name, version):
            yield Fact(entity, attribute, value, year(begun))


def written(
    past: History,
    version: int,
    seed: int,
    keep_old_documents: bool,
    popularity: float,
    is_dated: bool,
    manner: DocumentStyle,
    distractors: Distractors,
) -> Iterator[Page]:
    """The documents of a version, each home page followed by its distractors. An id names one text: "id@version" if written anew."""
    versions = [past.at(one) for one in range(version + 1)]
    background = Background(past.versions)
    for page in pages(versions, seed, manner, popularity, keep_old_documents, is_dated):
        page = page if page.version == 0 or "@" in page.id else replace(page, id=f"{page.id}@{page.version}")
        yield page
        if page.kind == "home":
            yield from distract(page, background, distractors, manner, seed)


def _report_lacking(test: Sequence[Example], questions: Questions, world: str) -> None:
    """Warn of kinds of question that are missing in the test questions.

    Args:
        test: the test questions.
        questions: which kinds are wanted.
        world: name of the world, for messages.

    Raises:
        ConfigError: if every kind with an answer is missing.
    """
    found = {one.meta["kind"] for one in test}
    lacking = [kind for kind in questions.kinds if kind not in found]
    if len(lacking) == len(questions.kinds):
        raise ConfigError(f"dataset.questions: no fact of {world} gives rise to {', '.join(lacking)}.")
    lacking_too = [*lacking, *(kind for kind in questions.nothings if kind not in found)]
    if lacking_too:
        log.warning("no fact of %s gives rise to questions of kind %s", world, ", ".join(lacking_too))


def _weights(past: History, version: int, questions: Questions, seed: int) -> Mapping[str, float]:
    """How likely an entity is asked about next, by its rank among those written about."""
    places = ranks([past.at(one) for one in range(version + 1)], seed)
    if questions.correlation == -1:
        places = {id: len(places) + 1 - place for id, place in places.items()}
    elif questions.correlation == 0:
        others = random.Random(f"{seed}/popularity of questions").sample(range(1, len(places) + 1), len(places))
        places = dict(zip(places, others, strict=True))
    return {id: place**-questions.popularity for id, place in places.items()}


def _marked(examples: Iterable[Example], lessons: tuple[frozenset[str], frozenset[str]]) -> tuple[Example, ...]:
    """The questions, each with what training asks something of."""
    return tuple(replace(one, meta={**one.meta, **_seen(one, *lessons)}) for one in examples)


def _seen(example: Example, entities: frozenset[str], attributes: frozenset[str]) -> dict[str, str]:
    """Of which of entity and attribute training asks something: the cells of the splits. Nothing where it is about many entities."""
    if not example.is_answerable or "=" in example.cluster:
        return {}
    cells = {"entity": example.cluster in entities, "attribute": example.meta["attribute"] in attributes}
    seen = [name for name, is_seen in cells.items() if is_seen]
    return {"seen": " and ".join(seen) or "neither"}


def _check_phrasings(n: int | None) -> None:
    n_found, name = min((len(one.questions_of("train")), one.name) for type in TYPES for one in attributes(type))
    if n and n > n_found:
        raise ConfigError(
            f"dataset.n_phrasings={n} is more than there are: {name!r} has {n_found} phrasings of training questions. "
            f"Set dataset.n_phrasings={n_found} or fewer."
        )


def _check(seed: int, version: int, lag: int, questions: Questions) -> None:
    if seed >= RESERVED_SEED:
        raise ConfigError(
            f"dataset.seed must be below {RESERVED_SEED:,} but is {seed}: the embedded model was trained on the worlds from there on. "
            "Choose a smaller seed."
        )
    if lag > version:
        raise ConfigError(
            f"dataset.lag={lag} goes back beyond the first version; dataset.version={version} allows at most {version}. "
            f"A stale arm needs a past: set dataset.version={lag} or later."
        )
    for name in ("kinds", "nothings", "changes"):
        given = list(getattr(questions, name))
        if repeated := sorted({one for one in given if given.count(one) > 1}):
            raise ConfigError(f"dataset.questions.{name} is {given}, with {', '.join(repeated)} more than once; name each once.")
    if not questions.kinds:
        raise ConfigError("dataset.questions.kinds is empty; name at least one kind of question, such as forward.")
    if set(questions.changes) != set(CHANGES) and (version == 0 or not questions.changes):
        raise ConfigError(
            f"dataset.questions.changes is {list(questions.changes)} with dataset.version={version}: nothing has changed before version 1. "
            f"Set dataset.version=1 to 3 and name at least one of {', '.join(CHANGES)}."
        )
    if questions.n_answerable and questions.n_answerable < len(questions.kinds):
        raise ConfigError(
            f"dataset.questions.n_answerable is {questions.n_answerable} for {len(questions.kinds)} kinds of question; "
            "give one for each at least."
        )
