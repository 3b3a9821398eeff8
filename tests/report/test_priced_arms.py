"""What an arm costs is of this machine, and the terms that a report states are those that it computes with."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_eval.report.contrast import Arm
from rag_eval.report.priced_arms import Terms, machine_seconds, priced_arm, sheet_named
from rag_eval.score.primary import EM
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Spend

ANSWERED = Spend(20.0, n_prompt_tokens=10**6, n_output_tokens=10**5)  # that another system recorded of itself


@pytest.mark.parametrize(("sheet", "usd"), [("", None), ("cloud_cpu", None), ("api_small", 0.20 + 0.125)])
def test_seconds_that_another_system_recorded_are_not_priced_as_this_machines(tmp_path: Path, sheet: str, usd: float | None) -> None:
    run = write_run(tmp_path, "replay", "replay", [{EM: 1.0}] * 40, context="recorded", spends={"answer": ANSWERED})
    terms = Terms(sheet_named(sheet) if sheet else machine_seconds(), 1.0, 1.0, 100.0, 0.0)
    found = priced_arm(Arm("replay", run), [run.record], terms, [EM])
    assert found.parts["evaluate"] == (usd and pytest.approx(usd))


def test_the_horizon_is_told_as_it_was_given() -> None:
    text = Terms(machine_seconds(), 1.0, 720.25, 1000.4, 1.5).text
    assert text.startswith("Over 720.25 hours, 1,000.4 questions and 1.5 updates;")
    assert Terms(machine_seconds(), 1.0, 8760.0, 2e6, 12.0).text.startswith("Over 8,760 hours, 2,000,000 questions and 12 updates;")
