"""The scores of a question come back from their row, and rows of earlier versions are read."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from rag_eval.record.score_rows import from_row, to_lines
from rag_eval.types import QuestionScores

WRONG = QuestionScores(
    "q1", "c1", True, {"kind": "two_hop", "bucket": 2}, {"answer/em": 0.0, "retrieval/recall_5": math.nan}, "not_retrieved", "d7"
)
SILENT = QuestionScores("q2", "c2", False, {}, {"abstain/unanswerable": 1.0})


def test_every_row_has_every_score_of_the_run_and_null_is_not_judged() -> None:
    wrong, silent = map(json.loads, to_lines([WRONG, SILENT]).splitlines())
    assert wrong == {
        **{"example_id": "q1", "cluster": "c1", "is_answerable": True, "kind": "two_hop", "bucket": 2},
        **{"answer/em": 0.0, "retrieval/recall_5": None, "abstain/unanswerable": None},
        **{"cause": "not_retrieved", "distracted_by": "d7"},
    }
    assert silent == {
        **{"example_id": "q2", "cluster": "c2", "is_answerable": False},
        **{"answer/em": None, "retrieval/recall_5": None, "abstain/unanswerable": 1.0},
    }


def test_a_row_comes_back_as_it_was() -> None:
    for line, one in zip(to_lines([WRONG, SILENT]).splitlines(), (WRONG, SILENT), strict=True):
        back = from_row(json.loads(line))
        assert replace(back, scores={}) == replace(one, scores={})
        for name in ("answer/em", "retrieval/recall_5", "abstain/unanswerable", "answer/unheard_of"):
            assert str(back.score(name)) == str(one.score(name))


def test_a_row_without_what_was_not_judged_is_read() -> None:
    older = from_row({"example_id": "q", "cluster": "c", "is_answerable": True, "overlap": "none", "answer/em": 1.0})
    assert older == QuestionScores("q", "c", True, {"overlap": "none"}, {"answer/em": 1.0})
    assert math.isnan(older.score("answer/f1"))
