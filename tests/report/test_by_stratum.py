"""Arms against each other by group of questions, and by whether the base model knew the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rag_eval.record.load import RecordedRun
from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Arm, declare
from rag_eval.report.sections import prior_knowledge, scores, strata
from rag_eval.report.table import NOT_MEASURED, Figure, Table
from rag_eval.score.primary import EM
from rag_eval.testing.finished_runs import write_run

KNOWN, UNKNOWN = "known to the base model", "unknown to the base model"


def arm(root: Path, mode: str, right: list[float], strata: list[dict[str, Any]] | None = None, **changes: Any) -> Arm:
    marks = strata or [{}] * len(right)
    run = write_run(root, mode, mode, [{EM: score, **mark} for score, mark in zip(right, marks, strict=True)], **changes)
    return Arm(mode, run)


@pytest.fixture
def arms(tmp_path: Path) -> tuple[Arm, Arm, Arm]:
    """Of 40 questions the closed book knows the first 10, of which rag gets 5 right and finetune all; of the others rag 24, finetune 6."""
    closed = arm(tmp_path, "closed_book", [1.0] * 10 + [0.0] * 30)
    rag = arm(tmp_path, "rag", [1.0] * 5 + [0.0] * 5 + [1.0] * 24 + [0.0] * 6)
    return closed, rag, arm(tmp_path, "finetune", [1.0] * 16 + [0.0] * 24)


def line(section: Table, name: str) -> dict[str, Any]:
    return dict(zip((column.name for column in section.columns), next(row for row in section.rows if row[0] == name), strict=True))


def context(*arms: Arm) -> ReportContext:
    return ReportContext([one.run for one in arms], declare(EM, 0.0, 0.02), [])


def known(*arms: Arm) -> Table:
    (made,) = prior_knowledge.tables(context(*arms))
    return made


def by_stratum(*arms: Arm) -> Table:
    (made,) = strata.tables(context(*arms))
    return made


def numbers(cell: Figure) -> tuple[float | None, int | None]:
    assert cell.low is not None
    assert cell.high is not None
    return cell.value, cell.n


def test_arms_are_told_apart_by_what_the_base_model_knew(arms: tuple[Arm, Arm, Arm]) -> None:
    section = known(*arms)
    first, unknown = line(section, KNOWN), line(section, UNKNOWN)
    assert (numbers(first["rag"]), numbers(first["finetune"])) == ((0.5, 10), (1.0, 10))
    assert (numbers(unknown["rag"]), numbers(unknown["finetune"])) == ((0.8, 30), (0.2, 30))
    assert numbers(unknown["finetune - rag"])[0] == pytest.approx(-0.6)
    assert (first["n (clusters)"], unknown["n (clusters)"]) == ("10 (5)", "30 (15)")
    assert "closed_book" not in [column.title for column in section.columns]  # it is right and wrong there by definition


def test_without_a_closed_book_what_it_knew_is_not_measured(tmp_path: Path) -> None:
    section = known(arm(tmp_path, "rag", [1.0] * 40), arm(tmp_path, "finetune", [0.0] * 40))
    assert [str(cell) for cell in section.rows[0][1:]] == [f"{NOT_MEASURED} (no closed_book run in the experiment)"] * 3 + [NOT_MEASURED]
    assert [row[0] for row in section.rows] == [KNOWN, UNKNOWN]


def test_a_closed_book_that_was_not_judged_by_its_answers_tells_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, "closed_book", "closed_book", [{"answer/f1": 1.0}] * 40)
    section = known(arm(tmp_path, "rag", [1.0] * 40), arm(tmp_path, "finetune", [0.0] * 40))
    assert "closed_book has no exact match" in str(section.rows[0][1])


def test_nothing_known_is_no_zero_and_what_could_not_be_judged_is_in_neither_group(tmp_path: Path) -> None:
    closed = arm(tmp_path, "closed_book", [0.0] * 30 + [float("nan")] * 10)
    rag = arm(tmp_path, "rag", [1.0] * 40)
    section = known(closed, rag)
    assert str(line(section, KNOWN)["rag"]) == f"{NOT_MEASURED} (no such question)"
    assert line(section, KNOWN)["n (clusters)"] == "0 (0)"
    assert line(section, UNKNOWN)["rag"].n == 30


def test_a_closed_book_of_the_experiment_is_found_though_it_is_not_compared(arms: tuple[Arm, Arm, Arm]) -> None:
    assert line(known(*arms[1:]), KNOWN)["rag"].value == 0.5


@pytest.mark.parametrize(
    ("dtypes", "of_closed_book", "is_found"),
    [
        (("float32", "float32"), "float32", True),
        (("float32", "float32"), "bfloat16", False),
        (("float32", "bfloat16"), "float32", True),  # compared by allow_mismatch=true
        (("float32", "bfloat16"), "float16", False),
    ],
)
def test_the_closed_book_of_the_experiment_is_like_some_arm_in_what_the_arms_differ_in(
    tmp_path: Path, dtypes: tuple[str, str], of_closed_book: str, is_found: bool
) -> None:
    arm(tmp_path, "closed_book", [1.0] * 40, comparison={"dtype": of_closed_book})
    both = [arm(tmp_path, mode, [1.0] * 40, comparison={"dtype": one}) for mode, one in zip(("rag", "finetune"), dtypes, strict=True)]
    assert (context(*both).closed_book is not None) is is_found


def overlaps(n: int) -> list[dict[str, Any]]:
    return [{"overlap": "question"}] * n + [{"overlap": "none"}] * (40 - n)


def test_every_stratum_has_every_arm_and_its_difference_and_stands_there_alone(tmp_path: Path) -> None:
    trained = arm(tmp_path, "finetune", [1.0] * 10 + [0.0] * 30, overlaps(10), weights="trained")
    rag = arm(tmp_path, "rag", [0.0] * 10 + [1.0] * 30, [{"kind": ("a", "b")[at % 2]} for at in range(40)])
    section = by_stratum(rag, trained)
    assert [row[0] for row in section.rows] == ["kind: a", "kind: b", "overlap: none", "overlap: question"]
    question = line(section, "overlap: question")
    assert (numbers(question["rag"]), numbers(question["finetune"])) == ((0.0, 10), (1.0, 10))
    assert question["finetune - rag"].value == 1.0
    assert not [row[0] for row in scores.tables(context(rag, trained))[0].rows if str(row[0]).startswith("strata/")]


def test_the_trained_arm_says_what_is_shared_with_its_training_and_one_value_is_no_stratum(tmp_path: Path) -> None:
    rag = arm(tmp_path, "rag", [1.0] * 40, [{**one, "kind": "a"} for one in overlaps(40)])
    trained = arm(tmp_path, "finetune", [1.0] * 40, overlaps(10), weights="trained")
    section = by_stratum(rag, trained)
    assert [(row[0], row[-1]) for row in section.rows] == [("overlap: none", "30 (15)"), ("overlap: question", "10 (5)")]


def test_a_group_of_questions_that_nobody_was_judged_on_is_no_row(tmp_path: Path) -> None:
    kinds = [{"kind": "a"}] * 10 + [{"kind": "b"}] * 10 + [{"kind": "no answer"}] * 20
    rag, closed = (arm(tmp_path, mode, [1.0] * 20 + [float("nan")] * 20, kinds) for mode in ("rag", "closed_book"))
    assert [row[0] for row in by_stratum(rag, closed).rows] == ["kind: a", "kind: b"]


def test_recorded_runs_hold_their_strata(tmp_path: Path) -> None:
    run: RecordedRun = arm(tmp_path, "finetune", [1.0] * 10 + [0.0] * 30, overlaps(10)).run
    assert (run.record.estimates["strata/overlap/question"].mean, run.record.estimates["strata/overlap/none"].n) == (1.0, 30)


def test_without_two_values_of_a_stratum_there_is_no_section(tmp_path: Path) -> None:
    alike = [{"kind": "forward"}] * 4
    assert strata.tables(context(arm(tmp_path, "rag", [1.0, 0.0] * 2, alike), arm(tmp_path, "finetune", [1.0] * 4, alike))) == []
