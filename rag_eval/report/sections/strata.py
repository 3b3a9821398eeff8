"""Every arm over the questions of each stratum: by kind and the like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Arm
from rag_eval.report.groups import HINTS, Mask, grouped
from rag_eval.report.paired import Questions
from rag_eval.report.table import Table
from rag_eval.score.scorer import STRATA


def tables(context: ReportContext) -> list[Table]:
    """One line a stratum, with the paired differences; nothing where no stratum has two values."""
    arms, measure, asked = context.arms, context.by, context.asked
    is_judged = ~np.isnan(np.stack([arm.run.column(measure, asked.ids) for arm in arms]))
    questions = asked.where(np.logical_or.reduce(is_judged))  # those that some arm was judged on
    groups: dict[str, Mask] = {}
    for key in STRATA:
        values = _values(arms, key, questions)
        distinct = sorted(set(values) - {""})
        groups |= {f"{key}: {value}": np.array([one == value for one in values]) for value in distinct if len(distinct) > 1}
    reading = (
        f"{context.label(measure)} by what the questions say of themselves (kind, change, bucket, seen), and by what they share with the "
        "training questions (overlap: question, a near duplicate is one; answer, some gold answer only; none), where there is more than "
        f"one such value. {HINTS}"
    )
    return [grouped("By stratum", reading, arms, measure, questions, groups)] if groups else []


def _values(arms: Sequence[Arm], key: str, questions: Questions) -> list[str]:
    """What each question's value of a stratum is, an arm that was trained asked first; "" = it has none."""
    asked = sorted(arms, key=lambda arm: not arm.run.record.facts.provenance.is_trained)
    strata = [[arm.run.questions[id].strata for arm in asked] for id in questions.ids]
    return [next((str(one[key]) for one in those if one.get(key) is not None), "") for those in strata]
