"""Every score of every arm, with how many questions could be judged."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import measures
from rag_eval.report.table import Cell, Column, Figure, Header, Table, Term, figure

READING = """Means with 95 % intervals that take questions of one cluster as dependent. Scores of right answers and outcomes are over
answerable questions; n is how many could be judged."""
COUNTS = (("questions", "n_questions"), ("of them answerable", "n_answerable"), ("could not be asked", "n_error"))
TOKENS = (("prompt tokens a question", "prompt_mean"), ("output tokens a question", "output_mean"))


def tables(context: ReportContext) -> list[Table]:
    """One line a score; strata have a table of their own."""
    arms = context.arms
    rows: list[tuple[Cell, ...]] = [(title, *(arm.run.record.facts["counts"][key] for arm in arms), "") for title, key in COUNTS]
    for name in [one for one in measures(context.runs) if not one.startswith("strata/")]:
        found = [arm.run.record.estimates.get(name) for arm in arms]
        sizes = dict.fromkeys(str(one.n) for one in found if one is not None)
        rows.append((Term(name, context.label(name)), *map(figure, found), " / ".join(sizes)))
    for title, key in TOKENS:
        rows.append((title, *(Figure((arm.run.record.facts.get("tokens") or {}).get(key)) for arm in arms), ""))
    header: Header = ("measure", *(arm.label for arm in arms), Column("n"))
    return [Table("Scores", " ".join(READING.split()), header, tuple(rows))]
