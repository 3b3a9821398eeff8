"""Sections that count right answers count the right ones: whichever score is declared, and whatever could not be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_eval.record.load import RecordedRun
from rag_eval.report.commands.compare import comparison
from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import declare
from rag_eval.report.sections import declared_comparison, decomposition, prior_knowledge, rescue_and_harm
from rag_eval.report.table import Table
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.score.scoring import scoring_of
from rag_eval.testing.finished_runs import write_run

WRONG = "outcome/wrong"


def context(*runs: RecordedRun, measure: str) -> ReportContext:
    better = scoring_of(*(run.record for run in runs)).of(measure).better
    return ReportContext(runs, declare(measure, 0.0, 0.02, better))


def line(tables: Sequence[Table], name: str) -> Mapping[str, Any]:
    (section,) = tables
    return dict(zip((column.name for column in section.columns), next(row for row in section.rows if row[0] == name), strict=True))


def right_and_wrong(root: Path, mode: str, right: Sequence[bool], **changes: Any) -> RecordedRun:
    rows = [{EM: float(one), "outcome/right": float(one), WRONG: float(not one)} for one in right]
    return write_run(root, mode, mode, rows, **changes)


@pytest.mark.parametrize("measure", [EM, "outcome/right", WRONG])
def test_who_is_right_is_told_the_same_by_the_share_of_wrong_answers(tmp_path: Path, measure: str) -> None:
    rag = right_and_wrong(tmp_path, "rag", [True] * 40)
    finetune = right_and_wrong(tmp_path, "finetune", [at >= 16 for at in range(40)])
    both = context(rag, finetune, measure=measure)
    declared = line(declared_comparison.tables(both), "finetune - rag")
    assert (declared["only first right"], declared["only second right"]) == (16, 0)
    flips = line(rescue_and_harm.tables(both), "finetune over rag")
    assert str(flips["rescue"]) == "not measured (never wrong)"
    assert flips["harm"].value == pytest.approx(16 / 40)
    assert line(decomposition.tables(both), "finetune")["acc"].value == pytest.approx(24 / 40)


def test_a_note_says_that_less_of_the_declared_score_is_better_where_sections_use_another(tmp_path: Path) -> None:
    runs = [right_and_wrong(tmp_path, mode, [at % 2 == 0 for at in range(40)]) for mode in ("rag", "finetune")]
    said = "wrong answers is better when lower: where answers and differences come from is by exact match"
    assert said in comparison(context(*runs, measure=WRONG)).notes


@pytest.mark.parametrize("measure", [EM, "retrieval/hit_1"])
def test_rescue_and_harm_over_the_closed_book_are_by_the_score_that_tells_what_it_knew(tmp_path: Path, measure: str) -> None:
    known = [float(at < 30) for at in range(40)]
    write_run(tmp_path, "closed_book", "closed_book", [{EM: 0.0, CONTAINS: one} for one in known])
    runs = [
        write_run(tmp_path, mode, mode, [{EM: at % 2, CONTAINS: at % 2, measure: at % 2} for at in range(40)]) for mode in ("rag", "oracle")
    ]
    both = context(*runs, measure=measure)
    (section,) = rescue_and_harm.tables(both)
    flips = line([section], "rag over closed_book")
    assert (flips["rescue"].value, flips["rescue"].n) == (0.5, 10)
    assert (flips["harm"].value, flips["harm"].n) == (0.5, 30)
    assert section.reading.startswith("By contains.")
    assert line(prior_knowledge.tables(both), prior_knowledge.KNOWN)["rag"].n == 30


def test_rescue_over_a_closed_book_that_was_not_judged_is_not_measured_for_that_reason(tmp_path: Path) -> None:
    closed = write_run(tmp_path, "closed_book", "closed_book", [{"answer/f1": 0.5}] * 40)
    rag = right_and_wrong(tmp_path, "rag", [True] * 40)
    flips = line(rescue_and_harm.tables(ReportContext([rag, closed], declare(EM, 0.0, 0.02))), "rag over closed_book")
    assert {str(flips["rescue"]), str(flips["harm"])} == {"not measured (no question was judged in both)"}
