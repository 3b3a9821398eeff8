"""Reports read a metric by what its run says that it declares, whether or not this version has such a metric."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from rag_eval.report.__main__ import main
from rag_eval.score.metric import Declaration
from rag_eval.score.primary import EM
from tests.finished_runs import write_run

Told = Callable[..., tuple[int, str, str]]

RUDE = "answer/rudeness"  # that nobody has heard of
DECLARED = {
    EM: Declaration(title="exact", asks="form", tells_right=True),
    RUDE: Declaration(title="rude", better="lower", high=None, gold_scores_1=False),
    "answer/colour": Declaration(better="neither", gold_scores_1=False),
}


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """`told("compare", "aaaa", ...)` reports in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(list(map(str, arguments)))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def ran(root: Path, run_id: str, mode: str, rude: Sequence[float], declared: Mapping[str, Declaration] = DECLARED) -> None:
    rows = [{EM: float(at % 2), RUDE: value, "answer/colour": 1.0} for at, value in enumerate(rude)]
    write_run(root / "outputs", run_id, mode, rows, metrics={name: asdict(one) for name, one in declared.items()})


def line(folder: Path, title: str, name: str) -> dict[str, Any]:
    made = json.loads((folder / "reports" / "compare.json").read_text(encoding="utf-8"))
    section = next(one for one in made["sections"] if one["title"] == title)
    return dict(zip(section["header"], next(row for row in section["rows"] if row[0] == name), strict=True))


def test_of_a_metric_of_which_less_is_better_the_lower_arm_wins(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [8.0 + at % 3 for at in range(80)])
    ran(tmp_path, "bbbb", "finetune", [2.0 + at % 5 for at in range(80)])
    code, out, err = told("compare", "aaaa", "bbbb", f"measure={RUDE}", "threshold=1")
    assert code == 0, err
    assert f"is finetune better, that is lower, by more than 1 than rag on {RUDE}? SUPPORTED. Difference -" in out
    assert "better: finetune." in out
    code, out, err = told("compare", "bbbb", "aaaa", f"measure={RUDE}", "threshold=1")
    assert code == 0, err
    assert f"is rag better, that is lower, by more than 1 than finetune on {RUDE}? REFUTED. Difference " in out
    assert "better: finetune." in out


def test_no_interval_of_a_metric_without_bounds_ends_at_1(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [1.0] * 40 + [9.0] * 40)
    ran(tmp_path, "bbbb", "finetune", [0.0] * 80)
    code, out, err = told("compare", "aaaa", "bbbb", f"measure={RUDE}")
    assert code == 0, err
    found = line(tmp_path, "The declared comparison", "finetune - rag")[f"difference of {RUDE}"]
    assert found["value"] == -5.0
    assert found["low"] < -6.0 < found["high"] < -1.0
    assert line(tmp_path, "Where answers come from", "rag")["acc"]["value"] == 0.5  # by the primary score
    assert f"{RUDE} is no share: where answers and differences come from, and rescue and harm, are by {EM}" in " ".join(out.split())


def test_equal_differences_of_a_metric_without_bounds_decide_nothing(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [5.0] * 80)
    ran(tmp_path, "bbbb", "finetune", [5.0] * 80)
    code, out, err = told("compare", "aaaa", "bbbb", f"measure={RUDE}")
    assert code == 0, err
    assert "INCONCLUSIVE(MDE=unknown)" in out
    assert "nobody is better as far as these questions tell" in out


def test_nothing_is_claimed_of_a_metric_that_is_neither_better_high_nor_low(told: Told, tmp_path: Path) -> None:
    for run_id, mode in (("aaaa", "rag"), ("bbbb", "finetune")):
        ran(tmp_path, run_id, mode, [1.0] * 40)
    code, _, err = told("compare", "aaaa", "bbbb", "measure=answer/colour")
    assert code == 2
    assert "measure=answer/colour: neither more nor less of it is better, so that nothing can be claimed" in err
    assert not (tmp_path / "reports").exists()


def test_a_metric_with_a_title_has_a_column_and_others_have_none(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [3.0] * 40)
    assert told()[0] == 0
    columns = json.loads((tmp_path / "reports" / "table.json").read_text(encoding="utf-8"))["columns"]
    assert {name: title for name, title in columns.items() if name.startswith("answer/")} == {EM: "exact", RUDE: "rude"}
    assert (tmp_path / "reports" / "figures" / "em.png").exists()


def test_a_run_that_declares_nothing_is_reported_as_by_the_version_before(told: Told, tmp_path: Path) -> None:
    write_run(tmp_path / "outputs", "aaaa", "rag", [{EM: float(at % 2), "answer/stale": float(at % 3 == 0)} for at in range(80)])
    write_run(tmp_path / "outputs", "bbbb", "finetune", [{EM: float(at % 2), "answer/stale": 0.0} for at in range(80)])
    assert told()[0] == 0
    columns = json.loads((tmp_path / "reports" / "table.json").read_text(encoding="utf-8"))["columns"]
    assert list(columns) == [
        *("answer/em", "answer/contains", "answer/f1", "retrieval/recall_1", "abstain/unanswerable"),
        *("seconds/e2e_p50", "learn/seconds", "tokens/total_mean", "n"),
    ]
    assert list(columns.values())[:5] == ["EM", "contains", "F1", "recall@1", "abstains if unanswerable"]
    code, out, err = told("compare", "aaaa", "bbbb", "measure=answer/stale")
    assert code == 0, err
    assert "is finetune better, that is lower, by more than 0 than rag on answer/stale? SUPPORTED" in out
