"""Rescue and harm, over the closed book where one was run, and of every pair."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.paired import flip_figures, shared
from rag_eval.report.table import Cell, Figure, Table


def tables(context: ReportContext) -> list[Table]:
    """One line a pair."""
    closed, arms, right = context.closed_book, context.arms, context.right
    versus = [(closed, arm) for arm in arms if closed is not None and arm.run.record.run_id != closed.run.record.run_id]
    rows: list[tuple[Cell, ...]] = []
    for a, b in [*versus, *(pair for pair in context.pairs if pair not in versus)]:
        rows.append((f"{b.label} over {a.label}", *flip_figures(a.run, b.run, right, shared([a.run, b.run]))))
    if closed is None:
        rows.insert(0, ("each over closed_book", Figure(None, note="no closed_book run in the experiment"), Figure(None)))
    reading = f"By {context.label(right)}. Rescue: mean score where the other is wrong. Harm: mean of 1 - score where the other is right."
    return [Table("Rescue and harm", reading, ("pair", "rescue", "harm"), tuple(rows))]
