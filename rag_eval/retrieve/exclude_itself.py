"""Exclusion of the question itself from its hits, for tasks in which questions are documents of the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_eval.types import Example, Hit


def n_own(examples: Sequence[Example]) -> int:
    """Number of additional hits to retrieve so that `depth` remain after exclusion."""
    return max((len(example.grading.itself) for example in examples), default=0)


def without_itself(hits: Sequence[Hit], example: Example, depth: int) -> tuple[Hit, ...]:
    """The first `depth` hits that are not the question itself, with new ranks.

    Args:
        hits: hits, best first.
        example: the question; `grading.itself` lists its own ids.
        depth: maximum number of hits.

    Returns:
        Hits with ranks from 1.
    """
    found = [hit for hit in hits if hit.document.id not in example.grading.itself][:depth]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(found, start=1))
