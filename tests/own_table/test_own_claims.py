"""The claims of an own table are those of the table: each is judged or left out by name, with the same threshold."""

from __future__ import annotations

from pathlib import Path

from experiments.table.presets import PRESETS
from experiments.table.rows import ROWS as OF_TABLE
from rag_eval.own_table.claims import ROWS, judged
from rag_eval.own_table.not_judged import REASONS, not_judged
from rag_eval.own_table.report import findings_of
from rag_eval.report.claims.claim import Results, TableClaim
from tests.claims import every
from tests.experiments.table_results import pooled, results, run

OWN = {row: [*judged("laptop_cpu")[row], *not_judged().get(row, ())] for row in ROWS}
TABLE = {row.name: row.claims(PRESETS["laptop"]) for row in OF_TABLE}


def terms(claim: TableClaim) -> tuple[object, ...]:
    """What makes a claim the same, however it is worded."""
    return claim.id, claim.side, claim.kind, claim.claim.direction, claim.claim.threshold, claim.claim.margin, claim.unit


def test_the_rows_are_those_of_the_table_in_its_order() -> None:
    assert list(ROWS) == list(TABLE)


def test_every_claim_of_the_table_is_judged_or_left_out_by_name_with_its_threshold() -> None:
    """A claim that is new in experiments/table gets a line in rag_eval/own_table/not_judged.py, or a measure in claims.py."""
    assert {row: sorted(map(terms, those)) for row, those in OWN.items()} == {
        row: sorted(map(terms, those)) for row, those in TABLE.items()
    }


def test_what_is_judged_needs_and_presupposes_as_much_as_in_the_table() -> None:
    """Names of arms and their data differ; how many there are, and what must hold of them, do not."""

    def demands(claim: TableClaim) -> tuple[object, ...]:
        return len(claim.needs), len(claim.metrics), [(given.text, given.above) for given in claim.given]

    of_table = {claim.id: demands(claim) for those in TABLE.values() for claim in those}
    own = {claim.id: demands(claim) for those in judged("laptop_cpu").values() for claim in those}
    assert len(own) > 20
    assert own == {id: of_table[id] for id in own}


def test_what_is_left_out_says_what_it_lacks() -> None:
    absent = [claim for those in not_judged().values() for claim in those]
    assert every(REASONS[claim.needs[0]].startswith(f"{claim.needs[0]}: ") for claim in absent)


def test_without_any_run_every_claim_is_not_measured_with_a_reason() -> None:
    findings = [one for those in findings_of(Results(left_out=REASONS), "laptop_cpu").values() for one in those]
    assert every(one.verdict.word == "NOT MEASURED" and one.reason != "" for one in findings)


def test_costs_of_a_single_batch_have_no_interval_and_are_not_judged(tmp_path: Path) -> None:
    """Every question has the same share of the batch, which is no proof that another batch would take as long."""
    right = [1.0, 0.0] * 10
    rag = run(tmp_path, "rag", right, [{"generate": 0.4}] * 20, learn_s=1.0, update_s=0.05)
    tuned = run(tmp_path, "finetune", right, [{"generate": 0.1 + 0.01 * at} for at in range(20)], learn_s=9.0, is_trained=True)
    found = results(pooled({"rag": [rag], "finetune": [tuned]}))
    findings = {one.claim.id: one for one in findings_of(found, "laptop_cpu")["Computational cost"]}
    dearer = findings["computational-cost/fine-tuning-question"]
    assert dearer.verdict.word == "NOT MEASURED"
    assert dearer.reason == "rag: all questions were answered in one batch, whose seconds have no interval"
    assert findings["computational-cost/fine-tuning-upfront"].number is not None  # of the arm that answered in several
