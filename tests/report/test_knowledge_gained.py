"""What was learned, and what was found, apart from the form of the answers: the headline where the base model was never shown it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_eval.report.__main__ import main
from rag_eval.report.contrast import Arm
from rag_eval.report.knowledge_gain import TITLE, knowledge_gained
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.testing.finished_runs import write_run
from tests.claims import every
from tests.report.test_metric_dependent import scored

Ran = Callable[..., None]
Told = Callable[..., tuple[int, str, str]]
OF_BASE = {"closed_book": (0.0, 0.05), "rag": (0.0, 0.85)}
ON_FORM = {"finetune_format": (0.3, 0.32), "finetune": (0.92, 0.92), "rag_format": (0.8, 0.84)}
TRAINED = {"finetune_format", "finetune", "rag_format"}


@pytest.fixture
def ran(tmp_path: Path) -> Ran:
    """`ran(rag=(0.0, 0.85))`: a run of 200 questions of each mode, with the shares that equal and hold a gold answer."""

    def make(comparison: Any = (), choices: Any = None, **arms: tuple[float, float]) -> None:
        for mode, shares in arms.items():
            changes = {"weights": "trained" if mode in TRAINED else "base", "comparison": dict(comparison)}
            if choices:
                changes |= {"choices": choices, "audit": {"n_facts_in_training": 0}}
            write_run(tmp_path / "outputs", mode, mode, scored(200, *shares), **changes)

    return make


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return main(list(arguments)), *capsys.readouterr()

    return call


def titles(folder: Path, name: str) -> list[str]:
    made = json.loads((folder / "reports" / f"{name}.json").read_text(encoding="utf-8"))
    return [one["title"] for one in made["sections"]]


def gained_rows(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    made = json.loads((folder / "reports" / f"{name}.json").read_text(encoding="utf-8"))
    (section,) = [one for one in made["sections"] if one["title"] == TITLE]
    return {row[0]: dict(zip(section["header"], row, strict=True)) for row in section["rows"]}


@pytest.mark.parametrize("name", ["compare", "table"])
def test_where_the_base_model_keeps_another_form_the_report_begins_with_arms_that_all_know_the_form(
    ran: Ran, told: Told, tmp_path: Path, name: str
) -> None:
    ran(**OF_BASE, **ON_FORM)
    code, out, err = told(*(["compare", "rag", "finetune"] if name == "compare" else []))
    assert code == 0, err
    assert titles(tmp_path, name)[0] == TITLE
    rows = gained_rows(tmp_path, name)
    assert rows["by fine-tuning"]["pair"] == "finetune - finetune_format"
    assert rows["by fine-tuning"][f"difference of {EM}"]["value"] == pytest.approx(0.62)
    assert rows["by fine-tuning"][f"difference of {CONTAINS}"]["value"] == pytest.approx(0.6)
    assert rows["by retrieval"]["pair"] == "rag_format - finetune_format"
    assert rows["by retrieval"][f"difference of {EM}"]["value"] == pytest.approx(0.5)
    assert {row["verdict"] for row in rows.values()} == {"SUPPORTED"}
    assert every(row[f"difference of {EM}"]["low"] < row[f"difference of {EM}"]["value"] for row in rows.values())
    plain = " ".join(out.split())
    assert "The base model does not keep the form of the gold answers" in plain
    assert "of rag exact match is 0.000 where contains is 0.850" in plain
    assert "Knowledge gained by retrieval: is rag_format better by more than 0 than finetune_format" in plain
    assert "better: rag_format" in plain


def test_an_adapter_that_reads_worse_than_the_base_model_is_no_control_of_what_retrieval_gains(
    ran: Ran, told: Told, tmp_path: Path
) -> None:
    ran(**OF_BASE, **{**ON_FORM, "rag_format": (0.3, 0.31)})
    _, out, _ = told("compare", "rag", "finetune")
    rows = gained_rows(tmp_path, "compare")
    assert list(rows) == ["by fine-tuning", "by retrieval, in content"]
    row = rows["by retrieval, in content"]
    assert row["pair"] == "rag - closed_book"
    assert row[f"difference of {CONTAINS}"]["value"] == pytest.approx(0.8)
    assert row["verdict"] == "SUPPORTED"
    assert "rag_format is no control of what retrieval gains" in " ".join(out.split())
    ran(rag_format=(0.8, 0.84))  # no loss is shown
    told("compare", "rag", "finetune")
    assert list(gained_rows(tmp_path, "compare")) == ["by fine-tuning", "by retrieval"]


def test_over_few_clusters_no_loss_of_reading_is_told(tmp_path: Path) -> None:
    def few(mode: str, shares: tuple[float, float]) -> Arm:
        rows = [{**row, "cluster": f"c{at % 6}"} for at, row in enumerate(scored(12, *shares))]
        return Arm(mode, write_run(tmp_path, mode, mode, rows))

    found = knowledge_gained(
        {mode: few(mode, (0.0, share)) for mode, share in (("rag", 1.0), ("rag_format", 0.1), ("finetune_format", 0.1))}
    )
    assert found is not None
    assert "by retrieval" in [row[0] for row in found.table.rows]


def test_what_retrieval_gains_in_content_is_told_by_containment_alone(ran: Ran, told: Told, tmp_path: Path) -> None:
    ran(closed_book=(0.2, 0.2), rag=(0.15, 0.9), rag_format=(0.3, 0.3), finetune_format=(0.3, 0.3), finetune=(0.9, 0.9))
    _, out, _ = told("compare", "rag", "finetune")
    row = gained_rows(tmp_path, "compare")["by retrieval, in content"]
    assert row["verdict"] == "SUPPORTED"  # in exact match it would be nothing
    assert "Knowledge gained by retrieval, in content: is rag better by more than 0 than closed_book on contains? SUPPORTED" in out


def test_the_arms_that_are_missing_are_named_with_the_command_that_makes_them(ran: Ran, told: Told, tmp_path: Path) -> None:
    ran(**OF_BASE, finetune=(0.92, 0.92))
    _, out, _ = told("compare", "rag", "finetune")
    rows = gained_rows(tmp_path, "compare")
    assert rows["by fine-tuning"]["verdict"] == "NOT MEASURED: no finetune_format"
    assert rows["by retrieval"]["verdict"] == "NOT MEASURED: no finetune_format, rag_format"
    command = "run python run.py mode=finetune_format experiment_name=study and python run.py mode=rag_format experiment_name=study"
    assert f"Knowledge gained by retrieval is not measured: {command}" in " ".join(out.split())
    ran(finetune_format=(0.3, 0.32))
    _, out, _ = told("experiment=study")
    assert "by retrieval is not measured: run python run.py mode=rag_format experiment_name=study, with the other arguments" in " ".join(
        out.split()
    )
    assert "Knowledge gained by fine-tuning: is finetune better" in out


@pytest.mark.parametrize(("split_by", "is_said"), [("cluster", True), ("question", False)])
def test_where_nothing_that_is_tested_is_trained_on_the_command_says_how_to_divide(
    ran: Ran, told: Told, split_by: str, is_said: bool
) -> None:
    ran(**OF_BASE, choices={"dataset.split_by": split_by})
    _, out, _ = told("experiment=study")
    assert ("these runs too, all with dataset.split_by=question" in " ".join(out.split())) is is_said


def test_where_the_base_model_keeps_the_form_its_arms_are_compared_as_they_are(ran: Ran, told: Told, tmp_path: Path) -> None:
    ran(rag=(0.8, 0.82), rag_random=(0.1, 0.1), **ON_FORM)
    told("compare", "rag", "finetune")
    assert titles(tmp_path, "compare")[:2] == ["The declared comparison", TITLE]
    pairs = [row["pair"] for row in gained_rows(tmp_path, "compare").values()]
    assert pairs == ["finetune - rag", "rag - rag_random", "finetune - finetune_format"]


def test_half_of_the_answers_in_the_form_is_kept_and_less_is_not(ran: Ran, told: Told, tmp_path: Path) -> None:
    ran(rag=(0.4, 0.8), finetune=(0.9, 0.9))
    told("compare", "rag", "finetune")
    assert list(gained_rows(tmp_path, "compare")) == ["fine-tuning over retrieval"]
    ran(rag=(0.39, 0.8))
    told("compare", "rag", "finetune")
    assert list(gained_rows(tmp_path, "compare")) == ["by fine-tuning", "by retrieval"]


def test_of_four_answers_that_hold_a_gold_one_no_form_is_told(tmp_path: Path) -> None:
    def arms(holding: float) -> dict[str, Arm]:
        runs = {"closed_book": (0.0, holding), "finetune": (0.9, 0.9), "finetune_format": (0.3, 0.3)}
        root = tmp_path / str(holding)
        return {mode: Arm(mode, write_run(root, mode, mode, scored(200, *shares))) for mode, shares in runs.items()}

    unknown, known = knowledge_gained(arms(4 / 200)), knowledge_gained(arms(5 / 200))
    assert unknown is not None
    assert known is not None
    assert (unknown.leads, known.leads) == (False, True)
    assert "is not known: too few of its answers hold one" in unknown.table.reading


def test_an_arm_of_the_experiment_without_exact_match_is_not_asked_for_it(tmp_path: Path) -> None:
    alone = [{CONTAINS: row[CONTAINS]} for row in scored(200, 0.0, 0.4)]
    runs = {"closed_book": alone, "rag": scored(200, 0.0, 0.8)}
    found = knowledge_gained({mode: Arm(mode, write_run(tmp_path, mode, mode, rows)) for mode, rows in runs.items()})
    assert found is not None
    assert "of rag exact match is 0.000 where contains is 0.800. So" in found.table.reading
    assert "closed_book" not in found.table.reading


def test_without_a_lenient_score_nothing_is_said_of_form(tmp_path: Path) -> None:
    runs = {mode: write_run(tmp_path, mode, mode, [{EM: 1.0}] * 40) for mode in ("rag", "finetune")}
    assert knowledge_gained({mode: Arm(mode, run) for mode, run in runs.items()}) is None


@pytest.mark.parametrize("mode", ["prior", "retrieval", "few_shot", "long_context"])
def test_a_table_of_arms_that_gain_nothing_is_made_all_the_same(ran: Ran, told: Told, tmp_path: Path, mode: str) -> None:
    ran(**{mode: (0.5, 0.5)})
    code, _, err = told()
    assert code == 0, err
    assert titles(tmp_path, "table") == []


def test_runs_that_may_not_be_compared_are_not_taken_for_the_missing_arms(ran: Ran, told: Told, tmp_path: Path) -> None:
    ran(**OF_BASE, finetune=(0.92, 0.92))
    ran(comparison={"dtype": "bfloat16"}, finetune_format=(0.3, 0.32), rag_format=(0.8, 0.84))
    told("compare", "rag", "finetune")
    assert "NOT MEASURED: no finetune_format, rag_format" in str(gained_rows(tmp_path, "compare"))
