"""Retrieval metrics on characters of the sources, which do not depend on how documents are split into chunks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rag_eval.score.metric import Declaration, declares
from rag_eval.types import Span


@declares(Declaration("retrieval", label="span recall@{k}", judges="spans", depths="each"))
def span_recall_at_k(retrieved: Sequence[Span | None], evidence: Sequence[Span], k: int) -> float:
    """Share of the gold characters covered by the first k chunks; every character counts once.

    Args:
        retrieved: spans of the chunks, best first; None = unknown, which covers nothing.
        evidence: gold spans.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan if there are no gold spans.

    Raises:
        ValueError: if k < 1.
    """
    wanted, found = _merged(evidence), _merged(_first(retrieved, k))
    n_found = sum(one.n_shared(other) for one in wanted for other in found)
    return n_found / sum(one.n_characters for one in wanted) if wanted else math.nan


@declares(Declaration("retrieval", label="span hit@{k}", judges="spans", depths="each"))
def span_hit_at_k(retrieved: Sequence[Span | None], evidence: Sequence[Span], k: int) -> float:
    """Share of the distinct gold spans of which the first k chunks cover at least one character.

    Args:
        retrieved: spans of the chunks, best first; None = unknown, which covers nothing.
        evidence: gold spans.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan if there are no gold spans.

    Raises:
        ValueError: if k < 1.
    """
    found = _first(retrieved, k)
    touched = [any(one.n_shared(other) for other in found) for one in set(evidence)]
    return sum(touched) / len(touched) if touched else math.nan


def _first(retrieved: Sequence[Span | None], k: int) -> list[Span]:
    if k < 1:
        raise ValueError(f"k must be at least 1 but is {k}.")
    return [span for span in retrieved[:k] if span is not None]


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Union of the spans as spans that do not overlap."""
    apart: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.source, one.start)):
        if apart and apart[-1].source == span.source and span.start <= apart[-1].end:
            last = apart.pop()
            span = Span(last.source, last.start, max(last.end, span.end))
        apart.append(span)
    return apart
