"""A measure of every arm over groups of questions, with the paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rag_eval.report.contrast import Arm, named, pairs
from rag_eval.report.paired import Questions
from rag_eval.report.table import Cell, Figure, Table, figure
from rag_eval.score.scoring import scoring_of
from rag_eval.stats.paired_tests import paired_difference

Mask = NDArray[np.bool_]
HINTS = "Differences of groups are not declared beforehand and not corrected for how many there are: read them as hints."


def grouped(title: str, reading: str, arms: Sequence[Arm], measure: str, questions: Questions, groups: Mapping[str, Mask]) -> Table:
    """One line a group: the questions that its mask keeps."""
    rows = tuple(_row(name, arms, measure, questions.where(keep)) for name, keep in groups.items())
    return Table(title, reading, header_of(arms), rows)


def header_of(arms: Sequence[Arm]) -> tuple[str, ...]:
    """The questions, the arms, their pairs, and how many questions it were."""
    return ("questions", *(arm.label for arm in arms), *(named(a, b) for a, b in pairs(arms)), "n (clusters)")


def _row(name: str, arms: Sequence[Arm], measure: str, questions: Questions) -> tuple[Cell, ...]:
    means = [_mean(arm, measure, questions) for arm in arms]
    sizes = dict.fromkeys(f"{one.n or 0} ({one.n_clusters or 0})" for one in means)
    return (name, *means, *(_difference(a, b, measure, questions) for a, b in pairs(arms)), " / ".join(sizes))


def _mean(arm: Arm, measure: str, questions: Questions) -> Figure:
    found = scoring_of(arm.run.record).mean(measure, arm.run.column(measure, questions.ids).tolist(), questions.clusters)
    return figure(found, note="" if found is not None else "no such question")


def _difference(a: Arm, b: Arm, measure: str, questions: Questions) -> Figure:
    one, other = (arm.run.column(measure, questions.ids).tolist() for arm in (a, b))
    bounds = scoring_of(a.run.record, b.run.record).of(measure).bounds_of_difference
    return figure(paired_difference(one, other, questions.clusters, bounds))
