"""Metrics of whole runs, such as what a right answer costs without regard to a horizon, and which run is best by each."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.priced_arms import Terms
from rag_eval.report.ranking import best_first
from rag_eval.report.table import NOT_MEASURED, Cell, Column, Figure, Header, Table, Term
from rag_eval.report.whole_run_metrics import whole_run_figures

READING = """Of all questions of a run together, with 95 % intervals over clusters. Best first: by the values alone; where intervals
overlap, the order may be chance."""


def tables(context: ReportContext) -> list[Table]:
    """One for each of the terms, a line a metric; none where no run declares any."""
    names = [name for name, one in context.scoring.declared.items() if one.judges == "run"]
    return [_table(context, names, terms) for terms in context.terms if names]


def _table(context: ReportContext, names: list[str], terms: Terms) -> Table:
    found = [whole_run_figures(run, terms) for run in context.runs]
    labels = [arm.label for arm in context.arms]
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        figures = {label: each.get(name, Figure(None)) for label, each in zip(labels, found, strict=True)}
        measured = {label: one.value for label, one in figures.items() if one.value is not None}
        order = ", ".join(best_first(measured, context.scoring.of(name).better)) or NOT_MEASURED
        rows.append((Term(name, context.label(name)), *figures.values(), order))
    header: Header = ("measure", *labels, Column("best first", kind="text"))
    return Table(f"Whole runs, {terms.heading}", " ".join(READING.split()), header, tuple(rows))
