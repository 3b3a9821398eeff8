"""Paired differences of every measure but those that stand in the declared comparison, with the false discovery rate controlled."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import contrast, of_questions
from rag_eval.report.table import Column, Figure, Table, Term, figure
from rag_eval.stats.paired_tests import benjamini_hochberg


def tables(context: ReportContext) -> list[Table]:
    """One line a measure and pair."""
    shown = {name for one in context.judged for name in one.said}
    others = [contrast(*pair, name) for pair in context.pairs for name in of_questions([arm.run for arm in pair]) if name not in shown]
    known = [(one, one.difference) for one in others if one.difference is not None]
    q = iter(benjamini_hochberg([one.p for one, _ in known if one.p is not None]))
    rows = tuple(
        (
            Term(one.measure, context.label(one.measure)),
            one.name,
            figure(difference),
            difference.n,
            Figure(one.mde),
            Figure(next(q) if one.p is not None else None),
        )
        for one, difference in known
    )
    reading = "Not declared beforehand: read as hints. q: Benjamini and Hochberg over this table."
    header = ("measure", Column("pair", kind="text"), "difference", "n", "MDE", "q")
    return [Table("Other paired differences", reading, header, rows)]
