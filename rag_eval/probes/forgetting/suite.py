"""What a model is asked before and after it is trained: always the same questions, passages and beginnings of sentences.

None of it is about what any dataset teaches. Half is general English, half is about invented entities of no evaluated world, and
the embedded model, which reads nothing else, was trained on other ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from rag_eval.types import Document, ReadingExercise
from synthworld.reading_exercises import Course, exercises

SEED = 1_500_000  # of reserved worlds: neither one that is evaluated nor one that the embedded model or an adapter is trained on
COURSE = Course(reserved=True, splits=("test",), unanswerable_share=0.0, disease_share=0.5)
N_DOCUMENTS = 3  # that a question is read from, at most
N_FACTS = 3  # that a document states, at most


@dataclass(frozen=True)
class Suite:
    """Frozen: the same for the same size, for every model and dataset."""

    readings: tuple[ReadingExercise, ...]  # answerable from their documents, each about entities of its own
    passages: tuple[str, ...]  # whole texts
    beginnings: tuple[str, ...]  # texts that break off


def suite(n: int) -> Suite:
    """At most n of each: as many questions, and the general texts there are with as many about invented entities."""
    general = yaml.safe_load((Path(__file__).parent / "general.yaml").read_text(encoding="utf-8"))
    n_passages, n_beginnings = (min(len(general[name]), (n + 1) // 2) for name in ("passages", "beginnings"))
    invented = [_text(_reading("passage", at).documents[0]) for at in range(n_passages)]
    broken_off = [_first_half(_text(_reading("beginning", at).documents[0])) for at in range(n_beginnings)]
    return Suite(
        readings=tuple(_reading("question", at) for at in range(n)),
        passages=_in_turn(general["passages"], invented, n),
        beginnings=_in_turn(general["beginnings"], broken_off, n),
    )


def _reading(purpose: str, at: int) -> ReadingExercise:
    rng = random.Random(f"forgetting/{SEED}/{purpose}/{at}")
    n_documents = rng.randint(1, N_DOCUMENTS)
    (found,) = exercises(rng, COURSE, n_documents=n_documents, n_entities=n_documents, n_facts=N_FACTS, n_questions=1)
    name = f"forgetting-{at}"
    return replace(found.reading, example=replace(found.reading.example, id=name, cluster=name))


def _text(document: Document) -> str:
    return f"{document.title}: {document.text}"


def _first_half(text: str) -> str:
    words = text.split()
    return " ".join(words[: (len(words) + 1) // 2])


def _in_turn(first: Sequence[str], second: Sequence[str], n: int) -> tuple[str, ...]:
    return tuple(one for pair in zip(first, second, strict=False) for one in pair)[:n]
