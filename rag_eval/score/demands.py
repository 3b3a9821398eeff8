"""What a question may demand of its scoring, in its `meta`: checked before anything runs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from rag_eval.score.comparators import COMPARATORS
from rag_eval.score.formats import FORMATS
from rag_eval.score.spans import gold_spans

KEYS = ("comparator", "choices", "format", "stale_answers", "misleading_answers", "same_as", "spans", "as_of", "grades", "own_documents")


def check_meta(meta: Mapping[str, Any]) -> None:
    """Refuse a demand that no scorer understands.

    `comparator` names how answers are compared, `format` what an answer must look like, `choices` lists the options of a
    multiple-choice question, `stale_answers` what was right before, `misleading_answers` what some document states against
    the truth, `same_as` the evidence that other documents are as good as, `spans` the gold by characters, `grades` how relevant
    evidence is where that differs, `own_documents` the documents that are the question itself.

    Raises:
        ValueError: naming the key, what was expected and what was found.
    """
    for key in meta:
        near = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.8)
        if near and key not in KEYS:
            raise ValueError(f"{key} is no key that scoring knows; did you mean {near[0]}? Rename it if it is something else.")
    for key, known in (("comparator", COMPARATORS), ("format", FORMATS)):
        if key in meta and meta[key] not in known:
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
    own = meta.get("own_documents", [])
    if not (isinstance(own, list) and all(isinstance(id, str) for id in own)):
        raise ValueError(f"own_documents must be a list of ids but is {own!r}.")
    gold_spans(meta)


def _is_positive(grade: Any) -> bool:
    return type(grade) in (int, float) and 0 < grade < math.inf
