"""Every score of every arm, with how many questions could be judged."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import measures
from rag_eval.report.table import Cell, Column, Figure, Header, Table, Term, figure

READING = """Means with 95 % intervals that take questions of one cluster as dependent. Scores of right answers and outcomes are over
answerable questions; n is how many could be judged."""


def tables(context: ReportContext) -> list[Table]:
    """One line a score; strata have a table of their own."""
    arms = context.arms
    outcomes = [record.facts.outcomes for record in context.records]
    rows: list[tuple[Cell, ...]] = [
        ("questions", *(_count(one.counts.n_questions) for one in outcomes), ""),
        ("of them answerable", *(_count(one.counts.n_answerable) for one in outcomes), ""),
        ("could not be asked", *(_count(one.counts.n_error) for one in outcomes), ""),
    ]
    for name in [one for one in measures(context.runs) if not one.startswith("strata/")]:
        found = [arm.run.record.estimates.get(name) for arm in arms]
        sizes = dict.fromkeys(str(one.n) for one in found if one is not None)
        rows.append((Term(name, context.label(name)), *map(figure, found), " / ".join(sizes)))
    rows.append(("prompt tokens a question", *(Figure(one.tokens.prompt_mean) for one in outcomes), ""))
    rows.append(("output tokens a question", *(Figure(one.tokens.output_mean) for one in outcomes), ""))
    header: Header = ("measure", *(arm.label for arm in arms), Column("n"))
    return [Table("Scores", " ".join(READING.split()), header, tuple(rows))]


def _count(n: int | None) -> Cell:
    return Figure(None) if n is None else n
