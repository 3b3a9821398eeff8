"""A page of the table with every kind of content, of finished runs with given scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from experiments.table.presets import PRESETS
from experiments.table.rows import ROWS
from rag_eval.record.load import read_run
from rag_eval.report.claims.claim import Finding, Missing, Number, Results, TableClaim, judge
from rag_eval.report.claims.html.summary import Summary
from rag_eval.report.claims.loads import LoadMap, Loads
from rag_eval.report.curve import Curve, Point
from rag_eval.report.decision.decision import WinnerMap
from rag_eval.report.html.matrix import Matrix
from rag_eval.report.table import Column, Figure, Table
from tests.experiments.made_matrix import hand_made

N = 40  # questions
SIZE = PRESETS["laptop"]
NUMBERS = (
    Number(0.4, 0.3, 0.5, 200, 60, 1.2, 0.32, 0.48, 0.1),
    Missing("the machine has no GPU"),
    Number(-0.4, -0.5, -0.3, 200, 60, 1.2, -0.48, -0.32, 0.1),
    Number(12_345.6, 11_000.0, 14_000.0, 200, 60, 1.2, 11_500.0, 13_500.0, 0.1),
)


def summary(root: Path) -> Summary:
    """The report.

    Args:
        root: folder for its runs.

    Returns:
        All rows with their claims, whose numbers are made up, and 40 questions of six arms.
    """
    found: Matrix = hand_made(root, N, is_right=_is_right)
    arms = {arm: read_run(root / "study" / arm).record for arm in found.arms}
    findings = {row.name: _findings(row.name) for row in ROWS}
    curves = {row.name: [_curve(row.name)] for row in ROWS}
    notes = ["command: python -m experiments", "hardware: cpu", f"commit: {'0123456789abcdef' * 10}"]
    return Summary("Fine-tuning versus RAG", "the embedded model", findings, curves, found, arms, notes, _loads())


def _is_right(arm: str, at: int) -> bool:
    """So that each filter keeps some questions."""
    return {"rag": at % 4 < 2, "finetune": at % 4 in (0, 2)}.get(arm, at % 3 == 0)


def _findings(name: str) -> list[Finding]:
    """The claims of a row with numbers that are made up."""
    claims = next(row for row in ROWS if row.name == name).claims(SIZE)
    return [_judged(claim, NUMBERS[at % len(NUMBERS)]) for at, claim in enumerate(claims)]


def _judged(claim: TableClaim, number: Number | Missing) -> Finding:
    return judge(replace(claim, measure=lambda *_: number, needs=()), Results())


def _curve(name: str) -> Curve:
    further = [("a series with a name that is long", 0.2)] if name == ROWS[0].name else []
    series = {
        arm: tuple(Point(10.0**at, 0.9 - at / 10 - shift, 0.8 - at / 10 - shift, 0.95 - at / 10 - shift, 200) for at in range(1, 5))
        for arm, shift in (("rag", 0.0), ("hnsw", 0.1), *further)
    }
    return Curve(
        f"curve-{name}", f"{name} by size", "stage: 1 embed, 2 search, 3 prompt, 4 prefill, 5 decode", "exact match", series, log_x=True
    )


def _loads() -> Loads:
    loads = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
    winners = tuple(("rag",) * at + ("no winner",) + ("finetune",) * (5 - at) for at in range(5))
    header = (Column("side", kind="text"), Column("right answers", kind="share"), "USD an update")
    rows = tuple((arm, Figure(0.9, 0.8, 1.0), Figure(0.1)) for arm in ("rag", "finetune"))
    maps = [
        LoadMap("Which side costs less", WinnerMap(loads, (0.1, 1.0, 10.0, 100.0, 1000.0), winners)),
        LoadMap("Which side is right and costs less", None, "neither side meets it"),
    ]
    return Loads(Table("What the maps rest on", "", header, rows), maps, "Costs are those of a month.")
