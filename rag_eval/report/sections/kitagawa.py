"""Where the difference of every pair comes from: retrieval, reading and fallback, which sum to it (Kitagawa 1955)."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import named
from rag_eval.report.paired import decomposable, kitagawa_figures
from rag_eval.report.table import Figure, Table

READING = """The difference is the sum of the three terms: evidence in the prompt more often (retrieval), read better (reading), more known
without it (fallback). Intervals of the terms: bootstrap over clusters."""


def tables(context: ReportContext) -> list[Table]:
    """One line a pair."""
    questions = decomposable(context.runs, context.share, context.asked)
    rows = tuple(
        (named(a, b), *(kitagawa_figures(a.run, b.run, context.share, questions) if questions.ids else [Figure(None)] * 4))
        for a, b in context.pairs
    )
    header = ("pair", "difference", "retrieval", "reading", "fallback")
    return [Table("Where the difference comes from", " ".join(READING.split()), header, rows)]
