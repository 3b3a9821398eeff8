"""Stretches of texts as the meta of documents and questions tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def _span(value: Any) -> Span:
    known = value if isinstance(value, Mapping) else {}
    source, start, end = (known.get(name) for name in ("source", "start", "end"))
    if not isinstance(source, str) or type(start) is not int or type(end) is not int:
        raise ValueError(f"a span must be {{source: text, start: integer, end: integer}} but is {value!r}.")
    return Span(source, start, end)
