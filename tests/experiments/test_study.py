"""What every study says around its numbers."""

from __future__ import annotations

from pathlib import Path

from experiments.study import form_notes
from rag_eval.testing.finished_runs import write_run
from tests.report.test_metric_dependent import scored


def test_a_study_says_of_which_arms_exact_match_measures_form(tmp_path: Path) -> None:
    records = {
        mode: [write_run(tmp_path, f"{mode}{seed}", mode, scored(200, *shares)).record for seed in range(2)]
        for mode, shares in {"rag": (0.0, 0.8), "finetune": (0.9, 0.9)}.items()
    }
    (note,) = form_notes(records)
    assert note.startswith("answer/em measures the form of the answers of rag, not what they say: answer/em is 0.000 where")
