"""Means over training seeds and questions, with intervals for the trained adapters and for the training recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from rag_eval.stats.estimate import SHARE, clipped, estimate
from rag_eval.stats.paired_tests import DIFFERENCE
from rag_eval.types import Estimate


@dataclass(frozen=True)
class TwoLevel:
    """One mean with two intervals."""

    adapter: Estimate  # adapters fixed, questions random: only clusters vary
    recipe: Estimate  # adapters and questions random: seeds and clusters vary


def two_level(
    values: NDArray[np.float64], codes: NDArray[np.int64], bounds: tuple[float, float] | None = SHARE, confidence: float = 0.95
) -> TwoLevel | None:
    """Mean over S training seeds and n questions, with intervals for these adapters and for the recipe.

    Seeds and clusters are crossed: every adapter answers every question. The pigeonhole bootstrap (resampling seeds and clusters,
    Owen 2007) does not hold its level here: resamples of 3 to 5 seeds have (S - 1) / S of the variance between seeds and no
    tails, and count the seed-cluster interaction three times. The variance is therefore decomposed by analysis of variance. The
    squared half width of the recipe's interval is the larger of

    - that of the adapters plus that of the seeds: Student's t with S - 1 degrees of freedom times the variance of the S means
      over S, less the interaction of seed and cluster, which the adapters' part already contains (added as in Howe 1974; Zou
      and Donner 2008);
    - that of the S means alone, which applies if questions do not differ.

    With 50 clusters the coverage is 94 to 97 % in simulated data sets from 3 seeds on, and up to 99 % if questions and adapters
    hardly differ; that of pigeonhole percentile intervals is 79 to 99 % with 3 seeds.

    For two arms that share their adapters seed by seed, pass the differences of the scores.

    Args:
        values: float64 (S, n), one row per seed; nan = not judged. Only questions judged with every seed are used.
        codes: int64 (n,), the cluster of each question.
        bounds: range of a value; None for unbounded values such as seconds.
        confidence: level of both intervals.

    Returns:
        None if no question was judged with every seed, or for a single cluster of unbounded values.

    Raises:
        ValueError: if shapes do not match, a value is infinite or S < 2.
    """
    if len(values) < 2:
        raise ValueError(f"a recipe needs at least 2 seeds, got {len(values)}.")
    return _crossed([values], codes, bounds, confidence)


def two_level_difference(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    codes: NDArray[np.int64],
    *,
    a_is_fixed: bool = False,
    b_is_fixed: bool = False,
    bounds: tuple[float, float] | None = DIFFERENCE,
    confidence: float = 0.95,
) -> TwoLevel | None:
    """Mean of b - a on the same questions for arms with independent seeds; intervals as in `two_level`.

    Questions are paired, seeds are not: the variances between seeds of both arms add up. A deterministic arm, such as exact
    retrieval, has one row and must be declared fixed; its variance between seeds is then 0. An arm with a randomised index has
    seeds.

    Args:
        a: float64 (S_a, n); nan = not judged.
        b: float64 (S_b, n).
        codes: int64 (n,), the cluster of each question.
        a_is_fixed: a has no seed, and one row.
        b_is_fixed: b has no seed, and one row.
        bounds: range of a difference; None for unbounded values such as seconds.
        confidence: level of both intervals.

    Returns:
        None under the conditions of `two_level`.

    Raises:
        ValueError: if shapes do not match, a value is infinite, a fixed arm has several rows or another one only one.
    """
    for name, arm, is_fixed in (("a", a, a_is_fixed), ("b", b, b_is_fixed)):
        if is_fixed != (len(arm) == 1):
            expected = "1 row of a fixed arm" if is_fixed else "at least 2 seeds, or an arm stated to be fixed"
            raise ValueError(f"arm {name}: expected {expected}, got {len(arm)} rows.")
    return _crossed([-a, b], codes, bounds, confidence)


def _crossed(
    arms: list[NDArray[np.float64]], codes: NDArray[np.int64], bounds: tuple[float, float] | None, confidence: float
) -> TwoLevel | None:
    """Two-level estimate of the sum of the arms' means.

    Args:
        arms: float64 (S, n) each, one row per seed.
        codes: int64 (n,), the cluster of each question.
        bounds: range of a value; None = unbounded.
        confidence: level of both intervals.

    Returns:
        None if no question was judged in all rows, or for a single cluster of unbounded values.

    Raises:
        ValueError: if shapes do not match.
    """
    if any(arm.ndim != 2 or arm.shape[1:] != codes.shape for arm in arms):
        raise ValueError(f"expected values (seeds, questions) and codes (questions,), got {[arm.shape for arm in arms]} and {codes.shape}.")
    is_judged = ~np.isnan(np.concatenate(arms)).any(axis=0)
    arms, within = [arm[:, is_judged] for arm in arms], np.unique(codes[is_judged], return_inverse=True)[1]
    questions: NDArray[np.float64] = np.sum([arm.mean(axis=0) for arm in arms], axis=0)
    adapter = estimate(questions.tolist(), within.tolist(), binary=False, bounds=bounds, confidence=confidence)
    if adapter is None:
        return None
    if adapter.n_clusters == 1:
        return TwoLevel(adapter, adapter)
    alone, together = _squared_half_widths_of_seeds([arm for arm in arms if len(arm) > 1], within, confidence)
    if math.isnan(adapter.low) and not together:
        return TwoLevel(adapter, adapter)
    own = [0.0 if math.isnan(end) else (end - adapter.mean) ** 2 for end in (adapter.low, adapter.high)]
    below, above = (math.sqrt(max(squared + alone, together)) for squared in own)
    recipe = replace(adapter, low=adapter.mean - below, high=adapter.mean + above)
    return TwoLevel(adapter, clipped(recipe, *(bounds or (-math.inf, math.inf))))


def _squared_half_widths_of_seeds(arms: list[NDArray[np.float64]], codes: NDArray[np.int64], confidence: float) -> tuple[float, float]:
    """Squared half widths of the sum of the arms' means: from seeds alone, and from seeds and the seed-cluster interaction."""
    between = np.array([arm.mean(axis=1).var(ddof=1) / len(arm) for arm in arms])
    if not between.any():
        return 0.0, 0.0
    df = between.sum() ** 2 / (between**2 / [len(arm) - 1 for arm in arms]).sum()  # Welch (1947); S - 1 for one arm
    t = float(stdtrit(df, (1 + confidence) / 2))
    alone = max(0.0, float(between.sum()) - sum(_interaction(arm, codes) for arm in arms))
    return t**2 * alone, t**2 * float(between.sum())


def _interaction(arm: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Variance of the mean due to the interaction of seed and cluster."""
    n_seeds, n_clusters = len(arm), int(codes.max()) + 1
    rest = arm - arm.mean(axis=1, keepdims=True) - arm.mean(axis=0) + arm.mean()
    sums = np.zeros((n_clusters, n_seeds))
    np.add.at(sums, codes, rest.T)
    return float((sums**2).sum()) / arm.size**2 * n_seeds * n_clusters / ((n_seeds - 1) * (n_clusters - 1))
