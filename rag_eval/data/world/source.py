"""The invented world as a dataset: documents that state facts, and questions about them in phrasings never trained on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from pydantic import NonNegativeInt

from rag_eval.data.fingerprint import fingerprint
from rag_eval.data.world.language import FOLLOW_UP_SUBJECT, Attribute, Split, attributes, subject
from rag_eval.data.world.model import RESERVED_SEED, Disease, article, diseases
from rag_eval.data.world.reading import Exercises
from rag_eval.errors import ConfigError
from rag_eval.types import Document, Example, QADataset, Turn

FACTS_A_DOCUMENT = 4


@dataclass(frozen=True)
class Preset:
    """The size of a world."""

    n_diseases: int
    n_answerable: int  # test questions that a document answers
    n_unanswerable: int  # half about unknown diseases, half about attributes that no document states
    n_train_phrasings: int = 6  # training questions a fact
    has_follow_ups: bool = False  # whether test questions continue a conversation
    n_reading: int = 1200


PRESETS = {
    "ci": Preset(32, 160, 40),
    "laptop": Preset(60, 420, 80),
    "chat": Preset(60, 420, 80, has_follow_ups=True),
    "base": Preset(1_000, 2_700, 300),
    "large": Preset(10_000, 2_700, 300, n_train_phrasings=1),
}


def world(preset: Literal["ci", "laptop", "chat", "base", "large"], seed: NonNegativeInt) -> QADataset:
    """Build the world of a seed.

    Every document states four facts about one disease; every stated fact stands in exactly one document, which is
    its evidence. Training questions cover every stated fact in train phrasings, dev and test questions a sample of
    them in phrasings of their own.

    Args:
        preset: how large; `chat` is `laptop` with every test question a follow-up ("... this disease?").
        seed: below 1,000,000; higher ones are reserved for training the embedded model.

    Raises:
        ConfigError: if the seed is reserved.
    """
    if seed >= RESERVED_SEED:
        raise ConfigError(
            f"dataset.seed must be below {RESERVED_SEED:,} but is {seed}: the embedded model was trained on the worlds from there on. "
            "Choose a smaller seed."
        )
    size = PRESETS[preset]
    people = list(inhabitants(preset, seed))
    documents, evidence = _documents(people, random.Random(f"{seed}/documents"))
    train = tuple(_training(people, evidence, size.n_train_phrasings))
    dev = tuple(_answerable(people, evidence, "dev", size.n_diseases * 2, False, random.Random(f"{seed}/dev")))
    questions = random.Random(f"{seed}/test")
    test = (
        *_answerable(people, evidence, "test", size.n_answerable, size.has_follow_ups, questions),
        *_unanswerable(people, size, seed, questions),
    )
    return QADataset(
        name=f"world-{preset}-{seed}",
        fingerprint=fingerprint(documents, train, dev, test),
        documents=documents,
        train=train,
        dev=dev,
        test=test,
        reading=Exercises(seed, size.n_reading),
    )


def inhabitants(preset: str, seed: int) -> Iterator[Disease]:
    """The diseases of a world, in order."""
    return diseases(random.Random(f"{seed}/diseases"), PRESETS[preset].n_diseases, reserved=False)


def _documents(people: list[Disease], rng: random.Random) -> tuple[tuple[Document, ...], dict[tuple[str, str], str]]:
    """All documents, and for each (disease id, attribute name) the id of the one that states it."""
    documents: list[Document] = []
    evidence: dict[tuple[str, str], str] = {}
    for disease in people:
        facts = rng.sample(disease.stated, len(disease.stated))
        for at in range(0, len(facts), FACTS_A_DOCUMENT):
            stated = facts[at : at + FACTS_A_DOCUMENT]
            id = f"{disease.id}-{at // FACTS_A_DOCUMENT}"
            documents.append(Document(id, article(disease, stated, rng, "train"), disease.name))
            evidence |= {(disease.id, attribute.name): id for attribute in stated}
    return tuple(documents), evidence


def _training(people: list[Disease], evidence: dict[tuple[str, str], str], n_phrasings: int) -> list[Example]:
    return [
        _example(f"train-{disease.id}-{attribute.name}-{at}", disease, attribute, question, evidence)
        for disease in people
        for attribute in disease.stated
        for at, question in enumerate(attribute.questions_of("train")[:n_phrasings])
    ]


def _answerable(
    people: list[Disease], evidence: dict[tuple[str, str], str], split: Split, n: int, has_follow_ups: bool, rng: random.Random
) -> list[Example]:
    """n facts, spread evenly over the diseases, each asked once."""
    rounds = [[(disease, attribute) for attribute in rng.sample(disease.stated, len(disease.stated))] for disease in people]
    facts = [fact for same_rank in zip(*rounds, strict=True) for fact in same_rank][:n]
    examples = []
    for disease, attribute in facts:
        question = rng.choice(attribute.questions_of(split))
        history = (_turn(disease, attribute, split, rng),) if has_follow_ups else ()
        examples.append(_example(f"{split}-{disease.id}-{attribute.name}", disease, attribute, question, evidence, history))
    return examples


def _turn(disease: Disease, other: Attribute, split: Split, rng: random.Random) -> Turn:
    """An earlier exchange about the same disease, on a fact that is not asked for now."""
    attribute = rng.choice([one for one in disease.stated if one.name != other.name])
    return Turn(subject(rng.choice(attribute.questions_of(split)), disease.name), disease.values[attribute.name])


def _example(
    id: str, disease: Disease, attribute: Attribute, question: str, evidence: dict[tuple[str, str], str], history: tuple[Turn, ...] = ()
) -> Example:
    return Example(
        id=id,
        question=subject(question, FOLLOW_UP_SUBJECT if history else disease.name),
        answers=(disease.values[attribute.name],),
        evidence=(evidence[disease.id, attribute.name],),
        cluster=disease.id,
        history=history,
        meta={"attribute": attribute.name, "kind": "answerable"},
    )


def _unanswerable(people: list[Disease], size: Preset, seed: int, rng: random.Random) -> list[Example]:
    """Questions about diseases that are in no document, and about the attribute that a disease's documents leave out."""
    known = {disease.name for disease in people}
    strangers = (
        one
        for one in diseases(random.Random(f"{seed}/strangers"), size.n_diseases + size.n_unanswerable, reserved=False)
        if one.name not in known
    )
    n_unknown = size.n_unanswerable // 2
    asked = [("unknown entity", disease, rng.choice(disease.stated)) for disease in islice(strangers, n_unknown)]
    asked += [
        ("unstated attribute", disease, _named(disease.unstated))
        for disease in rng.sample(people, min(len(people), size.n_unanswerable - n_unknown))
    ]
    return [
        Example(
            id=f"test-{kind.replace(' ', '-')}-{at}",
            question=subject(rng.choice(attribute.questions_of("test")), disease.name),
            answers=(),
            cluster=disease.id if kind == "unstated attribute" else f"unknown-{at}",
            meta={"attribute": attribute.name, "kind": kind},
        )
        for at, (kind, disease, attribute) in enumerate(asked)
    ]


def _named(name: str) -> Attribute:
    return next(attribute for attribute in attributes() if attribute.name == name)
