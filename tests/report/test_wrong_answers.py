"""Answers that are not right are counted whether or not it is known where their evidence was lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import declare
from rag_eval.report.sections import wrong_answers
from rag_eval.report.table import NOT_MEASURED
from rag_eval.score.error_attribution import CAUSES
from rag_eval.score.primary import EM
from rag_eval.testing.finished_runs import write_run

RIGHT, WRONG = {EM: 1.0}, {EM: 0.0}
SEEN_WRONG = {EM: 0.0, "cause": "not_retrieved", "answer/distracted": 1.0}


def attributed(root: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The row of a replay with these questions, as it is shown."""
    run = write_run(root, "replay", "replay", rows, context="recorded")
    (section,) = wrong_answers.tables(ReportContext([run], declare(EM, 0.0, 0.02)))
    return dict(zip((column.name for column in section.columns), map(str, section.rows[0]), strict=True))


def test_wrong_answers_without_known_passages_are_counted_and_their_causes_are_not_measured(tmp_path: Path) -> None:
    found = attributed(tmp_path, [RIGHT, WRONG] * 12)
    assert found["not right"] == "12"
    assert {found[name] for name in (*CAUSES, "distracted", "stale", "as closed book")} == {NOT_MEASURED}


def test_where_the_passages_of_some_wrong_answers_are_known_all_are_counted(tmp_path: Path) -> None:
    found = attributed(tmp_path, [RIGHT, WRONG, SEEN_WRONG] * 8)
    assert (found["not right"], found["not_retrieved"], found["in_prompt_unused"], found["distracted"]) == ("16", "8", "0", "8")


def test_questions_without_an_answer_and_those_that_could_not_be_judged_are_not_wrong(tmp_path: Path) -> None:
    unanswerable = {"is_answerable": False, "abstain/unanswerable": 0.0}
    found = attributed(tmp_path, [RIGHT, SEEN_WRONG, {EM: math.nan}, unanswerable] * 6)
    assert (found["not right"], found["not_retrieved"]) == ("6", "6")


def test_who_is_always_right_has_no_wrong_answer_of_any_cause(tmp_path: Path) -> None:
    found = attributed(tmp_path, [{**RIGHT, "answer/distracted": 0.0}] * 24)
    assert {found[name] for name in ("not right", *CAUSES, "distracted")} == {"0"}
