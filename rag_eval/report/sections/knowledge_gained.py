"""What was gained by fine-tuning and by retrieval: first of all where the report should be read by it, else below the verdict."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.table import Table


def leading(context: ReportContext) -> list[Table]:
    """The table where the report should be read by it."""
    return [context.gained.table] if context.gained is not None and context.gained.leads else []


def following(context: ReportContext) -> list[Table]:
    """The table where it is one of many."""
    return [context.gained.table] if context.gained is not None and not context.gained.leads else []
