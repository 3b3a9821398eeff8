"""Retrieval metrics on characters of the sources, which do not depend on how documents are split into chunks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rag_eval.score.metric import Declaration, declares
from rag_eval.types import Span


def span_of(meta: Mapping[str, Any]) -> Span | None:
    """Span of a chunk in its source, from `source`, `start` and `end` of its document's meta.

    Args:
        meta: meta of the document.

    Returns:
        The span; None if one of the three keys is missing.

    Raises:
        ValueError: if the values are not a span.
    """
    return _span(meta) if {"source", "start", "end"} <= meta.keys() else None


def gold_spans(meta: Mapping[str, Any]) -> tuple[Span, ...]:
    """Evidence as character spans: `spans` of a row's meta, a list of {"source", "start", "end"}.

    Args:
        meta: meta of the row.

    Returns:
        The spans; () if there are none.

    Raises:
        ValueError: if `spans` is not such a list.
    """
    spans = meta.get("spans", [])
    if not isinstance(spans, list | tuple):
        raise ValueError(f"spans must be a list but is {spans!r}.")
    return tuple(map(_span, spans))


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


def _span(value: Any) -> Span:
    known = value if isinstance(value, Mapping) else {}
    source, start, end = (known.get(name) for name in ("source", "start", "end"))
    if not isinstance(source, str) or type(start) is not int or type(end) is not int:
        raise ValueError(f"a span must be {{source: text, start: integer, end: integer}} but is {value!r}.")
    return Span(source, start, end)
