"""Tables fit the terminal: what is too wide goes on below, and no number is broken."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rag_eval.record.run_record import RunResult
from rag_eval.report import console
from rag_eval.report.__main__ import main
from rag_eval.report.table import Table
from rag_eval.report.terminal import print_table, show
from rag_eval.testing.finished_runs import facts, write_run
from rag_eval.types import Estimate, Spend
from tests.claims import every
from tests.report.test_metric_dependent import scored

WIDTH = 80
NUMBER = re.compile(r"-?\d+\.\d+")


def printed(rows: list[list[str]], width: int = WIDTH, **how: Any) -> str:
    out = StringIO()
    header, *cells = rows
    made = Table(how.get("title", ""), how.get("reading", ""), tuple(header), tuple(map(tuple, cells)))
    print_table(Console(file=out, width=width), made)
    return out.getvalue()


def cells(text: str) -> list[str]:
    return [cell.strip() for line in text.splitlines() for cell in re.split("[│┃]", line)[1:-1]]


def test_a_table_that_fits_is_one_table_with_every_cell_in_a_line() -> None:
    text = printed([["arm", "EM"], ["rag", "0.912 [0.880, 0.930]"]], title="Scores", reading="Higher is better.")
    assert "0.912 [0.880, 0.930]" in cells(text)
    assert text.startswith("Scores\n")
    assert "Higher is better." in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_one_that_is_too_wide_goes_on_below_with_its_first_column(width: int) -> None:
    rows = [["arm", *(f"score {at}" for at in range(9))], *([name, *["0.912 [0.880, 0.930]"] * 9] for name in ("rag", "finetune"))]
    text = printed(rows, width, title="Scores")
    assert max(map(len, text.splitlines())) <= width
    assert cells(text).count("[0.880, 0.930]") == 18
    n_parts = text.count("Scores (")
    assert n_parts > 1
    assert cells(text).count("finetune") == n_parts
    assert every(f"score {at}" in " ".join(cells(text)) for at in range(9))


def test_a_note_below_tables_breaks_between_words_at_the_width_of_the_terminal() -> None:
    out, note = StringIO(), "of these 12 runs " * 20
    show([], [note], Console(file=out, width=WIDTH))
    assert max(map(len, out.getvalue().splitlines())) <= WIDTH
    assert out.getvalue().split() == ["note:", *note.split()]


def test_a_path_in_a_note_stands_whole_in_a_line_of_its_own_where_the_terminal_is_narrower() -> None:
    out, path = StringIO(), "/reports/" + "folder/" * 20 + "summary.html"
    show([], [f"written: {path}, and so on"], Console(file=out, width=WIDTH))
    assert f"{path}," in out.getvalue().splitlines()


@pytest.mark.parametrize(("n", "said"), [(1, "1 question could not be asked"), (3, "3 questions could not be asked")])
def test_a_question_that_could_not_be_asked_is_called_that_whatever_was_the_reason(n: int, said: str, tmp_path: Path) -> None:
    run = write_run(tmp_path, "aaaa", "rag", scored(40, 0.5, 0.5), counts={"n_questions": 40, "n_error": n})
    assert said in console.remarks(run.record)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_long_name_in_the_first_column_breaks_no_number_and_no_title_beside_it(width: int) -> None:
    name = "mistralai/Mixtral-8x22B-Instruct-v0.1-quantised-of-a-very-long-name-indeed-000001"
    text = printed([["arm", "difference", "MDE"], [name, "0.000 [-0.180, 0.180]", "0.123"]], width)
    assert max(map(len, text.splitlines())) <= width
    assert every(one in cells(text) for one in ("difference", "[-0.180, 0.180]", "0.123"))
    assert "".join(cells(text)).count("M") == name.count("M") * text.count("┏") + 1  # folded, not lost


def test_a_cell_wider_than_the_terminal_is_folded_and_not_lost() -> None:
    text = printed([["arm", "said"], ["rag", "x" * 200]])
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.count("x") == 200


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two arms with everything that a table shows, and a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for mode, shares in {"rag": (0.1, 0.8), "finetune": (0.9, 0.9)}.items():
        extra = {"answer/f1": 0.5, "retrieval/recall_1": 1.0, "retrieval/recall_3": 0.5, "abstain/answerable": 0.0}
        rows = [{**row, **extra, "outcome/right": row["answer/em"]} for row in scored(200, *shares)]
        write_run(tmp_path / "outputs", mode, mode, rows, context="retrieved", choices={"mode": mode, "retriever.k": 3})


@pytest.mark.parametrize(
    "command", [[], ["compare", "rag", "finetune"], ["compare", "rag", "finetune", "queries=9", "updates=1", "hours=2"]]
)
def test_every_table_of_a_report_fits_80_columns_and_breaks_no_number(
    study: None, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main(command) == 0
    tables = [line for line in capsys.readouterr().out.splitlines() if line[:1] in "│┃┏┡└├"]
    assert len(tables) > 10
    assert max(map(len, tables)) <= WIDTH
    shown = [cell for line in tables for cell in re.split("[│┃]", line)[1:-1]]
    broken = [cell for cell in shown if re.search(r"\d\.$|^\s*\.\d|\[\d*$", cell.strip())]
    assert broken == []
    assert sum(bool(NUMBER.search(cell)) for cell in shown) >= 10


def test_exact_match_stands_beside_containment_and_f1_in_80_columns(study: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    header = next(line for line in capsys.readouterr().out.splitlines() if "┃" in line and " exact match " in line)
    assert [cell.strip() for cell in re.split("[│┃]", header)[1:5]] == ["arm", "exact match", "contains", "F1"]


def test_what_a_run_measured_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    one = Estimate(0.5, 0.4, 0.6, 1234, 60)
    names = ("answer/em", "answer/f1", "answer/contains", "answer/em_train_phrasing", "forgetting/nats_per_token_change", "outcome/right")
    spends = {"learn": Spend(1.0, reused_s=1.0), "data_generation": Spend(2.0), "update": Spend(0.5)}
    told = facts("finetune", 40, throughput={"searches_per_s": 12.0}, chance=0.1)
    result = RunResult("outputs/x", "x", "FINISHED", dict.fromkeys(names, one), told, spends, cached=True)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    console.show_run(result)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= WIDTH
    assert out.index("exact match ") < out.index("contains") < out.index("right answers")
    assert out.count("0.500 [0.400, 0.600]") == len(names)
    assert "another form" not in out


def test_a_run_says_that_its_answers_keep_another_form(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"answer/em": Estimate(0.1, 0.0, 0.2, 100, 60), "answer/contains": Estimate(0.8, 0.7, 0.9, 100, 60)}
    told = facts("rag", 100, throughput={"searches_per_s": None})
    console.show_run(RunResult("outputs/x", "x", "FINISHED", found, told, {}, cached=False))
    assert "answers keep another form than the gold ones, which exact match counts as wrong: exact match is 0.100 where" in (
        capsys.readouterr().out
    )
