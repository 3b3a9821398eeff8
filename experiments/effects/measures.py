"""Measures of the effects of the invented world: from the runs of several arms to one number a question."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from rag_eval.report.claims.values import HELD, Pools, Values, values_of
from rag_eval.report.table import Cell, Column
from rag_eval.score.primary import EM
from rag_eval.stats.paired_tests import DIFFERENCE
from rag_eval.types import Estimate

STALE = "answer/stale"
MISLED = "answer/misled"
EXACT = Column("exact match", key="EM")  # of tables
FEWEST_HOPS = 30  # two-hop questions, from which on finding both documents is compared with finding each

ByNumber = Mapping[int, str] | Mapping[float, str]  # arms by the number in which they differ


def n_of(found: Estimate | None) -> Cell:
    """Questions, and in brackets entities, that a mean rests on."""
    return 0 if found is None else f"{found.n} ({found.n_clusters})"


def slope(arms: ByNumber, measure: str = EM) -> Callable[[Pools], Values]:
    """Of the line through a question's scores in arms that differ in a number: the change of the score a unit (least squares)."""

    def of(found: Pools) -> Values:
        first = found[next(iter(arms.values()))]
        names = [name for name in first.rows if all(name in found[arm].rows for arm in arms.values())]
        x = np.array(list(arms), dtype=np.float64) - np.mean(list(arms))
        scores = np.array([found[arm].column(measure, names) for arm in arms.values()])
        steepest = float(x[x > 0].sum() / (x @ x))
        return values_of(first, (x @ scores / (x @ x)).tolist(), names, (-steepest, steepest))

    return of


def _groups(found: Pools) -> list[str]:
    """Questions that take 2 to 5 documents: with five all of them fit, with one they do not."""
    few, many = found["oracle, groups, k=1"], found["oracle, groups, k=5"]
    return [name for name in few.rows if few.rows[name][HELD] == 0.0 and many.rows[name][HELD] == 1.0]


def groups_missed(found: Pools) -> Values:
    """Right answers over groups that do not fit."""
    names = _groups(found)
    return values_of(found["oracle, groups, k=1"], found["oracle, groups, k=1"].column(EM, names), names)


def groups_gained(found: Pools) -> Values:
    """What room for all documents of a group adds."""
    names = _groups(found)
    few, many = (found[f"oracle, groups, k={k}"].column(EM, names) for k in (1, 5))
    return values_of(found["oracle, groups, k=1"], [b - a for a, b in zip(few, many, strict=True)], names, DIFFERENCE)


def answers_changed(found: Pools) -> Values:
    """Whether closed-book answers have another text where there are false documents."""
    one, other = found["closed_book"], found["closed_book, false pages"]
    names = [name for name in one.rows if name in other.rows]
    return values_of(one, [float(one.predictions[name].text != other.predictions[name].text) for name in names], names)


def hops(found: Pools) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Two-hop questions, and whether the first and the second document of each stood in the prompt of rag."""
    searched, gold = found["rag, two hops"], found["oracle, two hops"]
    names = [name for name in searched.rows if len(gold.predictions[name].in_prompt) == 2]
    held = [
        [float(id in searched.predictions[name].in_prompt) for id in gold.predictions[name].in_prompt] for name in names
    ]  # what the oracle shows is the evidence, in order
    first, second = np.array(held, dtype=np.float64).reshape(-1, 2).T
    return names, first, second


def hops_together(found: Pools) -> Values:
    """P(both documents) - P(first) P(second): its linear terms (the delta method), whose mean is that number itself.

    Not judged over fewer than FEWEST_HOPS questions, nor where one of the documents is found always or never: the two products
    are then equal whatever the search does.
    """
    names, first, second = hops(found)
    if len(names) < FEWEST_HOPS or any(one.min() == one.max() for one in (first, second)):
        return values_of(found["rag, two hops"], [math.nan] * len(names), names, None)
    h1, h2 = float(first.mean()), float(second.mean())
    return values_of(found["rag, two hops"], (first * second - first * h2 - second * h1 + h1 * h2).tolist(), names, None)


def hops_guessed(found: Pools) -> Values:
    """Right answers to two-hop questions without both documents."""
    searched = found["rag, two hops"]
    names = [name for name, row in searched.rows.items() if row[HELD] == 0.0]
    return values_of(searched, searched.column(EM, names), names)
