"""The rows of the table: every cell has a claim, names are one of a kind, and what a claim needs is run where it is not left out."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from experiments.effects.arms import Plan, settings_of
from experiments.effects.trained_arms import BASE, TRAINED
from experiments.table import computational_cost, inference_time, scalability
from experiments.table.presets import PRESETS, Preset
from experiments.table.row import Row
from experiments.table.rows import ROWS
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.report.claims.claim import Finding, Number, judge
from rag_eval.report.claims.declare import TUNED_PRO, above, declare
from rag_eval.report.claims.tables import CELLS, as_data
from tests.claims import every
from tests.experiments.table_results import results

OWN = (computational_cost.ROW, inference_time.ROW, scalability.ROW)
CI, LAPTOP = PRESETS["ci"], PRESETS["laptop"]
SHARED = {"closed_book", "oracle", "rag", "finetune"}  # that all rows of preset ci have in common


def plan_of(preset: Preset) -> Plan:
    return Plan(preset.world, preset.seeds, preset.generator, preset.embedder, Path("outputs"), TRAINED[BASE][0], preset.overrides)


def given(row: Row, preset: Preset) -> set[str]:
    """Arms and measurements of a row."""
    return {*row.arms(preset), *(run.key for run in row.work(preset, plan_of(preset)))}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=str)
def test_every_row_has_at_least_four_claims_and_one_of_each_cell(preset: Preset) -> None:
    assert every(len(row.claims(preset)) >= 4 for row in ROWS)
    assert every({(claim.side, claim.kind) for claim in row.claims(preset)} == set(CELLS) for row in ROWS)


def test_claims_and_rows_have_names_of_their_own() -> None:
    ids = [claim.id for row in ROWS for claim in row.claims(CI)]
    assert len(set(ids)) == len(ids)
    assert every(id == id.lower() and " " not in id for id in ids)
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", OWN, ids=lambda row: row.name)
def test_a_wide_preset_runs_all_that_the_claims_need(row: Row) -> None:
    assert every(set(claim.needs) <= given(row, LAPTOP) for claim in row.claims(LAPTOP))


@pytest.mark.parametrize("row", OWN, ids=lambda row: row.name)
def test_the_smallest_preset_shares_its_arms_and_measures_a_claim_of_each_cell(row: Row) -> None:
    assert set(row.arms(CI)) <= SHARED
    measured = {(claim.side, claim.kind) for claim in row.claims(CI) if set(claim.needs) <= given(row, CI)}
    assert measured == set(CELLS)


@pytest.mark.parametrize("row", OWN, ids=lambda row: row.name)
def test_what_a_preset_leaves_out_is_not_measured_with_the_reason(row: Row) -> None:
    findings = [judge(claim, results()) for claim in row.claims(CI)]
    assert every(one.verdict.word == "NOT MEASURED" and "not part of this preset" in one.reason for one in findings)


@pytest.mark.parametrize("row", OWN, ids=lambda row: row.name)
def test_the_settings_of_every_arm_hold_together(row: Row) -> None:
    for arm, (overrides,) in row.arms(LAPTOP).items():
        spec = check(composed(settings_of(plan_of(LAPTOP), 1, overrides)))
        assert spec.dataset.get("seed") == 1, arm


def test_a_bound_that_does_not_exist_is_null_in_the_data() -> None:
    claim = declare("x", TUNED_PRO, "x", above(1.0), "x", "x", lambda found, _: Number(2.0, 1.5, math.inf, 3), ())
    finding: Finding = judge(claim, results())
    data = as_data({"row": [finding]}, {"row": []}, "the embedded model")
    number = json.loads(json.dumps(data, allow_nan=False))["rows"][0]["claims"][0]["number"]
    assert (number["low"], number["high"]) == (1.5, None)
