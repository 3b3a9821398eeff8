"""Two arms and one measure: what is declared, the paired difference, and how small a one could have been found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rag_eval.record.load import RecordedRun
from rag_eval.report.paired import Questions, shared
from rag_eval.score.metric import Better, Bounds
from rag_eval.score.scoring import scoring_of
from rag_eval.stats.bootstrap import bootstrap_t_interval
from rag_eval.stats.decomposition import Column
from rag_eval.stats.estimate import clipped, clustered_se, is_flat
from rag_eval.stats.paired_tests import paired_difference, permutation_p
from rag_eval.stats.power import mde_from_se
from rag_eval.stats.verdict import Claim
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
    bounds: Bounds | None  # what a difference can be at all; None = any number

    @property
    def name(self) -> str:
        """What the difference is called."""
        return named(self.first, self.second)

    @property
    def is_without_spread(self) -> bool:
        """Whether every cluster has the same difference and nothing bounds that of others, so that there is no interval."""
        return self.bounds is None and self.difference is not None and self.mde is None


@dataclass(frozen=True)
class Declared:
    """What is claimed of every pair before it is looked at."""

    better: Claim  # of second - first
    same: Claim  # that it is no further from 0 than a margin


def declare(measure: str, threshold: float, margin: float, better: Better = "higher") -> Declared:
    """The two claims of a comparison: the second arm is better, and both are the same.

    Args:
        measure: tracked name of the compared score.
        threshold: difference by which the second arm must be better, at least 0.
        margin: largest difference that counts as none, above 0.
        better: whether a higher or a lower score is better.

    Returns:
        The claims.

    Raises:
        ValueError: if `better` is "neither".
    """
    if better == "neither":
        raise ValueError(f"{measure}: neither more nor less of it is better, so that nothing can be claimed.")
    if better == "lower":
        claim = Claim(measure, f"second better, that is lower, by more than {threshold:g}?", -threshold, "below")
    else:
        claim = Claim(measure, f"second better by more than {threshold:g}?", threshold, "above")
    return Declared(claim, Claim(measure, f"same within {margin:g}?", 0.0, "equivalent", margin))


def named(first: Arm, second: Arm) -> str:
    """What the difference of two arms is called."""
    return f"{second.label} - {first.label}"


def pairs(arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Every two arms, in order."""
    return list(combinations(arms, 2))


def measures(runs: Sequence[RecordedRun]) -> list[str]:
    """Every score that some run has, of its questions first."""
    return list(dict.fromkeys(name for run in runs for name in run.record.estimates))


def of_questions(runs: Sequence[RecordedRun]) -> list[str]:
    """The scores that every run has of the questions themselves, one by one."""
    return [name for name in measures(runs) if all(run.has(name) for run in runs)]


def contrast(first: Arm, second: Arm, measure: str, confidence: float = 0.95) -> Contrast:
    """The paired difference of a measure, over the questions that both runs were asked and that could be judged in both."""
    questions = shared([first.run, second.run])
    a, b = (arm.run.column(measure, questions.ids) for arm in (first, second))
    bounds = scoring_of(first.run.record, second.run.record).of(measure).bounds_of_difference
    difference = paired_difference(a.tolist(), b.tolist(), questions.clusters, bounds, confidence)
    x = b - a
    judged = ~np.isnan(x)
    codes = np.unique(questions.codes[judged], return_inverse=True)[1] if judged.any() else questions.codes[:0]
    if difference is None or difference.n_clusters < 2:
        return Contrast(first, second, measure, questions, (a, b), difference, None, None, None, confidence, bounds)
    se = clustered_se(x[judged], codes)
    varies = not is_flat(x[judged], se)
    if varies and difference.n_clusters < FEW_CLUSTERS:
        low, high = bootstrap_t_interval(x[judged], codes, SEED, N_RESAMPLES, confidence)
        # An end that resamples do not limit keeps Student's t.
        low, high = (low if math.isfinite(low) else difference.low, high if math.isfinite(high) else difference.high)
        difference = clipped(replace(difference, low=low, high=high), *(bounds or (-math.inf, math.inf)))
    p = permutation_p(x[judged].tolist(), codes.tolist(), SEED)
    mde = mde_from_se(se, difference.n_clusters - 1, alpha=1 - confidence) if varies else None
    deff = _deff(x[judged], se) if varies else None
    return Contrast(first, second, measure, questions, (a, b), difference, mde, p, deff, confidence, bounds)


def _deff(differences: NDArray[np.float64], se: float) -> float:
    return (se * math.sqrt(len(differences)) / float(differences.std(ddof=1))) ** 2
