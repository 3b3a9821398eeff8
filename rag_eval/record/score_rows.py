"""The scores of questions as the rows of scores.jsonl, and back. A row is flat: scores are the keys with a slash."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rag_eval.record.serialize import null_where_not_finite
from rag_eval.types import QuestionScores

FIELDS = ("example_id", "cluster", "is_answerable", "cause", "distracted_by")  # what else is no score stands in the strata


def to_lines(scores: Sequence[QuestionScores]) -> str:
    """A line of JSON a question, every score of the run in each: null = it could not be judged."""
    names = list(dict.fromkeys(name for one in scores for name in one.scores))
    rows = [_row(one, names) for one in scores]
    return "".join(json.dumps(null_where_not_finite(row), allow_nan=False, ensure_ascii=False) + "\n" for row in rows)


def from_row(row: Mapping[str, Any]) -> QuestionScores:
    """The scores in a row; of one that an earlier version wrote, too."""
    scores = {name: math.nan if value is None else float(value) for name, value in row.items() if "/" in name}
    strata = {key: value for key, value in row.items() if "/" not in key and key not in FIELDS}
    return QuestionScores(
        str(row["example_id"]), str(row["cluster"]), bool(row["is_answerable"]), strata, scores, row.get("cause"), row.get("distracted_by")
    )


def _row(one: QuestionScores, names: Sequence[str]) -> dict[str, Any]:
    why = {"cause": one.cause, "distracted_by": one.distracted_by} if one.cause is not None else {}
    fields = {"example_id": one.example_id, "cluster": one.cluster, "is_answerable": one.is_answerable, **one.strata}
    return {**fields, **{name: one.score(name) for name in names}, **why}
