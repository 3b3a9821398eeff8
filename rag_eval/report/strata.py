"""The declared measure over groups of questions: by kind and the like, and by whether the base model knew the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rag_eval.report.contrast import Arm, pairs
from rag_eval.report.paired import Questions, shared
from rag_eval.report.sections import NOT_MEASURED, Cell, Figure, Section, figure
from rag_eval.score.scoring import scoring_of
from rag_eval.score.stats import paired_difference
from rag_eval.score.summary import STRATA

Mask = NDArray[np.bool_]
KNOWN, UNKNOWN = "known to the base model", "unknown to the base model"
HINTS = "Differences of groups are not declared beforehand and not corrected for how many there are: read them as hints."


def strata_section(arms: Sequence[Arm], measure: str) -> Section:
    """Every arm over the questions of each stratum, with the paired differences."""
    asked = shared([arm.run for arm in arms])
    is_judged = ~np.isnan(np.stack([arm.run.column(measure, asked.ids) for arm in arms]))
    questions = asked.where(np.logical_or.reduce(is_judged))  # those that some arm was judged on
    groups: dict[str, Mask] = {}
    for key in STRATA:
        values = _values(arms, key, questions)
        distinct = sorted(set(values) - {""})
        groups |= {f"{key}: {value}": np.array([one == value for one in values]) for value in distinct if len(distinct) > 1}
    reading = (
        f"{measure} by what the questions say of themselves (kind, change, bucket, seen), and by what they share with the training "
        "questions (overlap: question, a near duplicate is one; answer, some gold answer only; none), where there is more than one such "
        f"value. {HINTS}"
    )
    return _section("By stratum", reading, arms, measure, questions, groups)


def known_section(arms: Sequence[Arm], closed_book: Arm | None, measure: str, right: str) -> Section:
    """Every other arm over the questions that the closed book answered right, and over those that it did not.

    Args:
        arms: those that are compared.
        closed_book: what the base model says without passages; None = it was not run.
        measure: the score of the other arms.
        right: the score that is 1 where the closed book is right.
    """
    title = "By what the base model knew"
    others = [arm for arm in arms if closed_book is None or arm.run.record.run_id != closed_book.run.record.run_id]
    reading = (
        f"{measure} over the questions whose {right} of closed_book is 1 (known) and less (unknown). Unanswerable questions and others "
        f"on which it could not be judged are in neither. {HINTS}"
    )
    if closed_book is None or not closed_book.run.has(right):
        why = "no closed_book run in the experiment" if closed_book is None else f"closed_book has no {right}"
        missing: list[Cell] = [Figure(None, note=why)] * (len(others) + len(pairs(others)))
        return Section(title, reading, _header(others), tuple((name, *missing, NOT_MEASURED) for name in (KNOWN, UNKNOWN)))
    questions = shared([closed_book.run, *(arm.run for arm in others)])
    scores = closed_book.run.column(right, questions.ids)
    return _section(title, reading, others, measure, questions, {KNOWN: scores == 1, UNKNOWN: scores < 1})


def _values(arms: Sequence[Arm], key: str, questions: Questions) -> list[str]:
    """What each question's value of a stratum is, an arm that was trained asked first; "" = it has none."""
    asked = sorted(arms, key=lambda arm: not arm.run.record.facts.provenance.is_trained)
    strata = [[arm.run.questions[id].strata for arm in asked] for id in questions.ids]
    return [next((str(one[key]) for one in those if one.get(key) is not None), "") for those in strata]


def _section(title: str, reading: str, arms: Sequence[Arm], measure: str, questions: Questions, groups: Mapping[str, Mask]) -> Section:
    rows = tuple(_row(name, arms, measure, questions.where(keep)) for name, keep in groups.items())
    return Section(title, reading, _header(arms), rows)


def _header(arms: Sequence[Arm]) -> tuple[str, ...]:
    return ("questions", *(arm.label for arm in arms), *(f"{b.label} - {a.label}" for a, b in pairs(arms)), "n (clusters)")


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
