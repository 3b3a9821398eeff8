"""Where answers come from: acc = h (1 - w_hit) + (1 - h)(1 - w_miss) of every arm."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.paired import decomposable, parts_figures
from rag_eval.report.table import Figure, Table


def tables(context: ReportContext) -> list[Table]:
    """One line an arm."""
    questions = decomposable(context.runs, context.share, context.asked)
    rows = tuple(
        (arm.label, *(parts_figures(arm.run, context.share, questions) if questions.ids else [Figure(None)] * 5)) for arm in context.arms
    )
    reading = (
        f"Over {len(questions.ids)} questions with known evidence. acc: mean of {context.label(context.share)}. h: share whose evidence "
        "all stood in the prompt, after what did not fit was left out, and before. w: mean of 1 - score where it did (hit) and did not "
        "(miss). acc = h (1 - w_hit) + (1 - h) (1 - w_miss) exactly."
    )
    return [Table("Where answers come from", reading, ("arm", "acc", "h", "h before truncation", "w_hit", "w_miss"), rows)]
