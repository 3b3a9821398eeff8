"""Reading exercises: passages about invented diseases and questions to be answered from them, or found unanswerable."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import overload

from rag_eval.data.world.language import FOLLOW_UP_SUBJECT, Attribute, Split, attributes, subject
from rag_eval.data.world.model import Disease, article, diseases
from rag_eval.types import Document, Example, Reading, Turn

ALL_SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def exercises(
    rng: random.Random,
    *,
    n_documents: int,
    n_diseases: int,
    n_facts: int,
    n_questions: int,
    reserved: bool,
    splits: tuple[Split, ...] = ("train",),
    unanswerable_share: float = 0.15,
    follow_up_share: float = 0.0,
    hard_share: float = 0.5,
    opener_share: float = 0.7,
) -> list[Reading]:
    """Questions over one set of passages.

    In a share of the sets all passages state the same attributes of different diseases, so that only the name tells
    them apart; in the others each passage has attributes of its own.

    Args:
        rng: source of all randomness.
        n_documents: passages; the first n_diseases are about different diseases, the rest about any of these.
        n_diseases: at most n_documents.
        n_facts: attributes that a passage states, at most 12.
        n_questions: exercises to return.
        reserved: whether the diseases belong to the worlds reserved for training the embedded model.
        splits: phrasing splits to draw statements and questions from.
        unanswerable_share: chance that no passage answers a question.
        follow_up_share: chance that a question continues a conversation about the same disease.
        hard_share: chance that all passages state the same attributes.
        opener_share: chance that a passage begins with a sentence that states none.
    """
    subjects = list(diseases(rng, n_diseases + 1, reserved))
    stranger = subjects.pop()
    about = subjects + [rng.choice(subjects) for _ in range(n_documents - n_diseases)]
    stated = _stated(rng, about, n_facts, hard_share)
    documents = [
        Document(f"d{at}", article(disease, facts, rng, rng.choice(splits), rng.random() < opener_share), disease.name)
        for at, (disease, facts) in enumerate(zip(about, stated, strict=True))
    ]
    order = rng.sample(documents, len(documents))
    known = {
        disease.name: [fact for one, facts in zip(about, stated, strict=True) if one is disease for fact in facts] for disease in about
    }
    return [
        _exercise(rng, str(at), subjects, known, stranger, tuple(order), splits, unanswerable_share, follow_up_share)
        for at in range(n_questions)
    ]


def _stated(rng: random.Random, about: list[Disease], n_facts: int, hard_share: float) -> list[list[Attribute]]:
    """The attributes of each passage; a second passage about a disease does not repeat what the first states."""
    shared = rng.sample(attributes(), n_facts) if rng.random() < hard_share else None
    left = {disease.name: rng.sample(disease.stated, len(disease.stated)) for disease in about}
    chosen = []
    for disease in about:
        mine = left[disease.name]
        wanted = [fact for fact in mine if fact in shared] if shared else []
        facts = (wanted or mine)[:n_facts] or rng.sample(disease.stated, n_facts)
        left[disease.name] = [fact for fact in mine if fact not in facts]
        chosen.append(rng.sample(facts, len(facts)))
    return chosen


def _exercise(
    rng: random.Random,
    id: str,
    subjects: list[Disease],
    known: dict[str, list[Attribute]],
    stranger: Disease,
    documents: tuple[Document, ...],
    splits: tuple[Split, ...],
    unanswerable_share: float,
    follow_up_share: float,
) -> Reading:
    disease = rng.choice(subjects)
    facts = known[disease.name]
    attribute = rng.choice(facts)
    answers: tuple[str, ...] = (disease.values[attribute.name],)
    if rng.random() < unanswerable_share:
        answers = ()
        # What another passage states of its own disease tempts most.
        elsewhere = [fact for name, stated in known.items() if name != disease.name for fact in stated if fact not in facts]
        missing = elsewhere or [fact for fact in attributes() if fact not in facts]
        if rng.random() < 0.5 or not missing:
            disease, attribute = stranger, rng.choice(facts)
        else:
            attribute = rng.choice(missing)
    split = rng.choice(splits)
    name = disease.name
    history: tuple[Turn, ...] = ()
    earlier = [fact for fact in known.get(disease.name, []) if fact is not attribute]
    if rng.random() < follow_up_share and earlier:
        name, history = FOLLOW_UP_SUBJECT, (_turn(rng, disease, rng.choice(earlier), split),)
    question = subject(rng.choice(attribute.questions_of(split)), name)
    return Reading(Example(id, question, answers, cluster=disease.name, history=history, meta={"attribute": attribute.name}), documents)


def _turn(rng: random.Random, disease: Disease, attribute: Attribute, split: Split) -> Turn:
    return Turn(subject(rng.choice(attribute.questions_of(split)), disease.name), disease.values[attribute.name])


class Exercises(Sequence[Reading]):
    """Exercises in train phrasings about diseases of no evaluated world, one to four passages each; made when looked at."""

    def __init__(self, seed: int, n: int) -> None:
        self._seed, self._n = seed, n

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, at: int) -> Reading: ...
    @overload
    def __getitem__(self, at: slice) -> list[Reading]: ...
    def __getitem__(self, at: int | slice) -> Reading | list[Reading]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(self._n))]
        if not 0 <= at < self._n:
            raise IndexError(at)
        rng = random.Random(f"{self._seed}/reading/{at}")
        n_documents = rng.randint(1, 4)
        n_diseases = rng.randint(1, n_documents)
        return exercises(rng, n_documents=n_documents, n_diseases=n_diseases, n_facts=4, n_questions=1, reserved=True)[0]
