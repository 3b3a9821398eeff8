"""Every answer that is not right, by the first place where its evidence was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Arm
from rag_eval.report.table import NOT_MEASURED, Cell, Column, Figure, Header, Table
from rag_eval.score.error_attribution import CAUSES
from rag_eval.score.scorer import DISTRACTED, STALE
from rag_eval.text.normalize import normalize
from rag_eval.types import QuestionScores


def tables(context: ReportContext) -> list[Table]:
    """One line an arm."""
    right = context.right
    causes = (Column(name.replace("_", " "), name) for name in CAUSES)
    header: Header = ("arm", "not right", *causes, "distracted", Column("outdated", "stale"), "as closed book")
    rows = tuple(_attributed(arm, context.closed_book, right, context.label(right)) for arm in context.arms)
    reading = (
        f"Right: {context.label(right)} is 1. Causes sum to the answers that are not right and whose passages are known. distracted: the "
        "answer stands in another passage of the prompt. outdated: it was right once. as closed book: the evidence was there, and the "
        "answer is the one that the base model gives without passages."
    )
    return [Table("Why answers are wrong", reading, header, rows)]


def _attributed(arm: Arm, closed_book: Arm | None, right: str, label: str) -> tuple[Cell, ...]:
    if right not in arm.run.record.estimates:
        return (arm.label, Figure(None, note=f"needs {label}"), *[NOT_MEASURED] * (3 + len(CAUSES)))
    if arm.run.record.facts.provenance.context == "none":
        return (arm.label, Figure(None, note="no passages"), *[NOT_MEASURED] * (3 + len(CAUSES)))
    wrong = {id: one for id, one in arm.run.questions.items() if one.is_answerable and one.score(right) < 1}
    causes = Counter(one.cause for one in wrong.values() if one.cause is not None)
    is_known = bool(causes) or not wrong
    counts: list[Cell] = [causes[name] if is_known else Figure(None) for name in CAUSES]
    distracted, stale = (_marked(arm, wrong, name) for name in (DISTRACTED, STALE))
    return (arm.label, len(wrong), *counts, distracted, stale, _overrides(arm, closed_book, wrong) if is_known else Figure(None))


def _marked(arm: Arm, wrong: Mapping[str, QuestionScores], score: str) -> Cell:
    """Wrong answers that a score marks; not measured where the run does not have it."""
    return sum(one.score(score) == 1 for one in wrong.values()) if arm.run.has(score) else Figure(None)


def _overrides(arm: Arm, closed_book: Arm | None, questions: Mapping[str, QuestionScores]) -> Cell:
    """Wrong answers that repeat the closed book's, though the evidence stood in the prompt."""
    if closed_book is None:
        return Figure(None)
    said = closed_book.run.predictions
    wrong = [id for id, one in questions.items() if one.cause == "in_prompt_unused" and id in said]
    return sum(
        arm.run.predictions[id].outcome == "answered" and normalize(arm.run.predictions[id].text) == normalize(said[id].text)
        for id in wrong
    )
