"""Parsing of the grading keys in a row's `meta`; invalid values are rejected before anything runs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rag_eval.text.spans import gold_spans
from rag_eval.types import COMPARATOR_NAMES, FORMAT_NAMES, Grading

KEYS = tuple(field.name for field in fields(Grading) if field.name != "retrieval_only")  # which is a separate field of a row


def grading_of(meta: Mapping[str, Any]) -> tuple[Grading, dict[str, Any]]:
    """Split the meta of a row into its grading and the rest.

    Args:
        meta: meta of the row.

    Returns:
        The grading, and the meta without grading keys.

    Raises:
        ValueError: if a grading key has an invalid value or looks misspelt; names the key, the expected and the given value.
    """
    _check(meta)
    grading = Grading(
        comparator=meta.get("comparator", "exact"),
        choices=tuple(meta.get("choices", ())),
        format=meta.get("format", ""),
        stale_answers=tuple(meta.get("stale_answers", ())),
        misleading_answers=tuple(meta.get("misleading_answers", ())),
        same_as={id: tuple(ids) for id, ids in meta.get("same_as", {}).items()},
        spans=gold_spans(meta),
        as_of=str(meta.get("as_of", "")),
        grades=dict(meta.get("grades", {})),
        itself=tuple(meta.get("itself", ())),
        retrieval_only=bool(meta.get("retrieval_only")),
    )
    return grading, {key: value for key, value in meta.items() if key not in (*KEYS, "retrieval_only")}


def _check(meta: Mapping[str, Any]) -> None:
    for key in meta:
        near = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.8)
        if near and key not in KEYS:
            raise ValueError(f"{key} is no key that scoring knows; did you mean {near[0]}? Rename it if it is something else.")
    for key, known in (("comparator", COMPARATOR_NAMES), ("format", FORMAT_NAMES)):
        if key in meta and not (isinstance(meta[key], str) and meta[key] in known):
            raise ValueError(f"{key} is {meta[key]!r}; expected one of {', '.join(known)}.")
    for key in ("choices", "stale_answers", "misleading_answers"):
        value = meta.get(key, ["text"])
        if not (isinstance(value, list) and value and all(isinstance(one, str) and one for one in value)):
            raise ValueError(f"{key} must be a list of texts but is {value!r}.")
    same_as = meta.get("same_as", {})
    if not (isinstance(same_as, Mapping) and all(isinstance(ids, list) and ids for ids in same_as.values())):
        raise ValueError(f'same_as must be an object such as {{"d7": ["d2"]}} but is {same_as!r}.')
    grades = meta.get("grades", {})
    if not (isinstance(grades, Mapping) and all(_is_positive(grade) for grade in grades.values())):
        raise ValueError(f'grades must be an object of numbers above 0 such as {{"d7": 2}} but is {grades!r}.')
    own = meta.get("itself", [])
    if not (isinstance(own, list) and all(isinstance(id, str) for id in own)):
        raise ValueError(f"itself must be a list of ids but is {own!r}.")


def _is_positive(grade: Any) -> bool:
    return type(grade) in (int, float) and 0 < grade < math.inf
