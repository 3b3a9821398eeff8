"""What is found beside the question itself: in some tasks a question is a document of the corpus, and the best answer to it is another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_eval.types import Example, Retrieved


def n_own(examples: Sequence[Example]) -> int:
    """How much deeper than `depth` must be searched so that as many others are found."""
    return max((len(example.grading.itself) for example in examples), default=0)


def others(hits: Sequence[Retrieved], example: Example, depth: int) -> tuple[Retrieved, ...]:
    """The first `depth` hits that are not the question itself, ranked anew."""
    found = [hit for hit in hits if hit.document.id not in example.grading.itself][:depth]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(found, start=1))
