"""Two arms and one measure: what is declared, the paired difference, and how small a one could have been found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rag_eval.report.paired import Questions, shared
from rag_eval.report.recorded_run import RecordedRun
from rag_eval.score.bootstrap import bootstrap_t_interval
from rag_eval.score.decompose import Column
from rag_eval.score.estimate import clustered_se, is_flat
from rag_eval.score.power import mde_from_se
from rag_eval.score.stats import paired_difference, permutation_p
from rag_eval.score.summary import SIGNED
from rag_eval.score.verdict import Claim
from rag_eval.types import Estimate

SEED = 0  # of permutations and resamples
ALPHA = 0.05
N_RESAMPLES = 10_000
FEW_CLUSTERS = 30  # below, the interval of a difference is the cluster bootstrap-t
TOO_FEW_CLUSTERS = 10  # below, no interval over clusters can be relied on: nothing is supported, refuted or won


@dataclass(frozen=True)
class Arm:
    """A run and what it is called in the report."""

    label: str
    run: RecordedRun


@dataclass(frozen=True)
class Contrast:
    """One measure of two arms over the same questions."""

    first: Arm
    second: Arm
    measure: str
    questions: Questions  # that both were asked
    scores: tuple[Column, Column]  # of both, question by question; nan = could not be judged
    difference: Estimate | None  # second - first
    mde: float | None  # the smallest difference that this comparison would have found
    p: float | None  # two-sided, by flipping signs of clusters
    deff: float | None  # design effect: variance of the mean difference over that of independent questions
    confidence: float  # of the interval of the difference


@dataclass(frozen=True)
class Declared:
    """What is claimed of every pair before it is looked at."""

    better: Claim  # of second - first
    same: Claim  # that it is no further from 0 than a margin


LOWER_IS_BETTER = {
    "outcome/wrong",
    "outcome/abstained",
    "outcome/malformed",
    "abstain/answerable",
    "answer/distracted",
    "answer/stale",
}


def declare(measure: str, threshold: float, margin: float) -> Declared:
    """The two claims of a comparison.

    Args:
        measure: the score that is compared; of some, as the share of wrong answers, less is better.
        threshold: by how much the second arm must be better, at least 0.
        margin: what counts as no difference, above 0.
    """
    if measure in LOWER_IS_BETTER:
        better = Claim(measure, f"second better, that is lower, by more than {threshold:g}?", -threshold, "below")
    else:
        better = Claim(measure, f"second better by more than {threshold:g}?", threshold, "above")
    return Declared(better, Claim(measure, f"same within {margin:g}?", 0.0, "equivalent", margin))


def pairs(arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Every two arms, in order."""
    return list(combinations(arms, 2))


def measures(arms: Sequence[Arm]) -> list[str]:
    """Every score that some arm has, of its questions first."""
    return list(dict.fromkeys(name for arm in arms for name in arm.run.record.estimates))


def of_questions(arms: Sequence[Arm]) -> list[str]:
    """The scores that every arm has of the questions themselves, one by one."""
    return [name for name in measures(arms) if all(arm.run.has(name) for arm in arms)]


def contrast(first: Arm, second: Arm, measure: str, confidence: float = 0.95) -> Contrast:
    """The paired difference of a measure, over the questions that both runs were asked and that could be judged in both."""
    questions = shared([first.run, second.run])
    a, b = (arm.run.column(measure, questions.ids) for arm in (first, second))
    bounds = (-2.0, 2.0) if measure in SIGNED else (-1.0, 1.0)
    difference = paired_difference(a.tolist(), b.tolist(), questions.clusters, bounds, confidence)
    x = b - a
    judged = ~np.isnan(x)
    codes = np.unique(questions.codes[judged], return_inverse=True)[1] if judged.any() else questions.codes[:0]
    if difference is None or difference.n_clusters < 2:
        return Contrast(first, second, measure, questions, (a, b), difference, None, None, None, confidence)
    se = clustered_se(x[judged], codes)
    if difference.n_clusters < FEW_CLUSTERS and not is_flat(x[judged], se):
        low, high = bootstrap_t_interval(x[judged], codes, SEED, N_RESAMPLES, confidence)
        # An end that resamples do not limit keeps Student's t.
        low, high = (low if math.isfinite(low) else difference.low, high if math.isfinite(high) else difference.high)
        difference = replace(difference, low=max(bounds[0], low), high=min(bounds[1], high))
    p = permutation_p(x[judged].tolist(), codes.tolist(), SEED)
    mde = mde_from_se(se, difference.n_clusters - 1, alpha=1 - confidence) if se > 0 else None
    return Contrast(first, second, measure, questions, (a, b), difference, mde, p, _deff(x[judged], se), confidence)


def _deff(differences: NDArray[np.float64], se: float) -> float | None:
    alone = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return (se / alone) ** 2 if alone > 0 else None
