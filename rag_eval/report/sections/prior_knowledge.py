"""Every other arm over the questions that the closed book answered right, and over those that it did not."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import pairs
from rag_eval.report.groups import HINTS, grouped, header_of
from rag_eval.report.paired import shared
from rag_eval.report.table import NOT_MEASURED, Cell, Figure, Table

KNOWN, UNKNOWN = "known to the base model", "unknown to the base model"
TITLE = "By what the base model knew"


def tables(context: ReportContext) -> list[Table]:
    """Two lines; not measured where there is no closed book or it was not judged."""
    closed_book, measure, right = context.closed_book, context.by, context.right
    others = [arm for arm in context.arms if closed_book is None or arm.run.record.run_id != closed_book.run.record.run_id]
    reading = (
        f"{context.label(measure)} over the questions whose {context.label(right)} of closed_book is 1 (known) and less (unknown). "
        f"Unanswerable questions and others on which it could not be judged are in neither. {HINTS}"
    )
    if closed_book is None or not closed_book.run.has(right):
        why = "no closed_book run in the experiment" if closed_book is None else f"closed_book has no {context.label(right)}"
        missing: list[Cell] = [Figure(None, note=why)] * (len(others) + len(pairs(others)))
        return [Table(TITLE, reading, header_of(others), tuple((name, *missing, NOT_MEASURED) for name in (KNOWN, UNKNOWN)))]
    questions = shared([closed_book.run, *(arm.run for arm in others)])
    scores = closed_book.run.column(right, questions.ids)
    return [grouped(TITLE, reading, others, measure, questions, {KNOWN: scores == 1, UNKNOWN: scores < 1})]
