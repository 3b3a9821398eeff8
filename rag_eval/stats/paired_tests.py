"""Paired and clustered tests of two arms, with corrections for multiple comparisons.

In all functions of two arms the difference is b - a, and a question with nan in either arm is excluded.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import binomtest, norm, permutation_test

from rag_eval.stats.estimate import clustered_se, estimate, is_flat, judged, wilson_limits
from rag_eval.types import Estimate

DIFFERENCE = (-1.0, 1.0)  # range of a difference of scores
_N_FLIPS = 9_999  # number of random sign flips beyond _ALL_FLIPS clusters
_ALL_FLIPS = 15  # largest number of clusters for which all 2^G sign flips are enumerated


@dataclass(frozen=True)
class Discordance:
    """Discordant pairs of two arms and the p-value of McNemar's test."""

    n_only_a: int
    n_only_b: int
    p: float


@dataclass(frozen=True)
class Equivalence:
    """Result of two one-sided tests (TOST) of whether a mean lies within a margin of 0."""

    p: float  # the larger p-value of the two
    low: float  # limits of the interval of level 1 - 2 alpha (90 % for alpha 5 %); inside the margin if p < alpha
    high: float
    is_equivalent: bool  # at alpha


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[Hashable],
    bounds: tuple[float, float] | None = DIFFERENCE,
    confidence: float = 0.95,
) -> Estimate | None:
    """Mean of b - a over the questions judged in both, with its clustered interval.

    Args:
        a: one value per question.
        b: values of the same questions, in the same order.
        clusters: the cluster of each question.
        bounds: range of a difference; None for unbounded values such as seconds.
        confidence: level of the interval; above 0.95 if several pairs are compared.

    Returns:
        None if no question was judged in both.

    Raises:
        ValueError: if lengths differ or a value is infinite.
    """
    codes, (before, after) = judged(clusters, a, b)
    return estimate((after - before).tolist(), codes.tolist(), binary=False, bounds=bounds, confidence=confidence)


def mcnemar(a: Sequence[float], b: Sequence[float]) -> Discordance:
    """McNemar's exact test (1947) of two arms with 0/1 scores: a binomial test of the discordant pairs.

    The test ignores clustering. With dependent questions its p-value is too small; use the interval of `paired_difference` then.

    Args:
        a: one score per question, 0 or 1; nan = not judged.
        b: scores of the same questions.

    Returns:
        Discordant counts and two-sided p-value; 1.0 without discordant pairs.

    Raises:
        ValueError: if lengths differ or a score is neither 0 nor 1.
    """
    _, (before, after) = judged(range(len(a)), a, b)
    if not np.isin((before, after), (0.0, 1.0)).all():
        raise ValueError("McNemar's test is of 0/1 scores, but some score is neither.")
    n_only_a, n_only_b = int((before > after).sum()), int((after > before).sum())
    n = n_only_a + n_only_b
    return Discordance(n_only_a, n_only_b, float(binomtest(n_only_b, n).pvalue) if n else 1.0)


def permutation_p(differences: Sequence[float], clusters: Sequence[Hashable], seed: int) -> float:
    """Two-sided sign-flip permutation test (Fisher 1935) of a mean difference of 0, on the sums of clusters.

    Assumes that the distribution of each cluster's sum is symmetric under the null hypothesis. Exact up to 15 clusters, 9,999
    random flips beyond; the smallest p-value is then 0.0002.

    Args:
        differences: one per question; nan = not judged.
        clusters: the cluster of each question.
        seed: seed of the random flips.

    Returns:
        The p-value.

    Raises:
        ValueError: if lengths differ, a difference is infinite or there are fewer than 2 clusters.
    """
    codes, (x,) = judged(clusters, differences)
    sums = np.bincount(codes, weights=x)
    if len(sums) < 2:
        raise ValueError(f"expected at least 2 clusters to flip the signs of, got {len(sums)}.")
    n_resamples = math.inf if len(sums) <= _ALL_FLIPS else _N_FLIPS
    rng = np.random.default_rng(seed)
    test = permutation_test((sums,), np.sum, permutation_type="samples", vectorized=True, n_resamples=n_resamples, batch=1_000, rng=rng)
    return float(test.pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values in the order given; controls the family-wise error rate."""
    return _adjusted(p, "holm")


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's (1995) adjusted p-values in the order given; controls the false discovery rate."""
    return _adjusted(p, "fdr_bh")


def tost(mean: float, se: float, df: int, margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided t-tests (Schuirmann 1987) of whether a mean lies between -margin and margin.

    Args:
        mean: observed mean.
        se: its standard error, above 0.
        df: degrees of freedom of the standard error; clusters - 1 for a clustered one.
        margin: equivalence margin, above 0, declared before the data were seen.
        alpha: level of each test; smaller if several pairs are compared.

    Returns:
        The larger p-value, the interval of level 1 - 2 alpha, and whether p < alpha.

    Raises:
        ValueError: if an argument is outside its range.
    """
    if not (margin > 0 and se > 0 and df >= 1 and 0 < alpha < 0.5):
        raise ValueError(f"expected margin > 0, se > 0, df >= 1 and 0 < alpha < 0.5, got {margin}, {se}, {df} and {alpha}.")
    p = float(stdtr(df, (abs(mean) - margin) / se))
    half = float(stdtrit(df, 1 - alpha)) * se
    return Equivalence(p, mean - half, mean + half, p < alpha)


def tost_paired(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[Hashable],
    margin: float,
    bounds: tuple[float, float] | None = DIFFERENCE,
    alpha: float = 0.05,
) -> Equivalence | None:
    """Two one-sided tests of whether the mean of b - a lies between -margin and margin, with a clustered standard error.

    If the standard error is 0 (two arms with the same scores), the one implied by the interval of `estimate` is used. A single
    cluster is never equivalent.

    Args:
        a: one value per question; nan = not judged.
        b: values of the same questions, in the same order.
        clusters: the cluster of each question.
        margin: equivalence margin, above 0, in the units of the values.
        bounds: range of a difference; None for unbounded values such as seconds.
        alpha: level of each test.

    Returns:
        None if no question was judged in both, or for a single cluster of unbounded values.

    Raises:
        ValueError: if lengths differ, a value is infinite, the margin is not above 0, or unbounded differences are all equal.
    """
    codes, (before, after) = judged(clusters, a, b)
    x = after - before
    found = estimate(x.tolist(), codes.tolist(), binary=False, bounds=bounds, confidence=1 - 2 * alpha)
    if found is None:
        return None
    if found.n_clusters == 1:
        return Equivalence(1.0, found.low, found.high, False)
    df, se = found.n_clusters - 1, clustered_se(x, codes)
    if is_flat(x, se):
        se = max(found.high - found.mean, found.mean - found.low) / float(stdtrit(df, 1 - alpha))
    return tost(found.mean, se, df, margin, alpha)


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (1927) of the proportion k / n of independent questions.

    Args:
        k: number of successes.
        n: number of questions, at least 1.
        confidence: level of the interval.

    Returns:
        Lower and upper limit.

    Raises:
        ValueError: unless 0 <= k <= n and n >= 1.
    """
    if not (0 <= k <= n and n >= 1):
        raise ValueError(f"expected 0 <= k <= n and n >= 1, got k={k}, n={n}.")
    return wilson_limits(k / n, n, float(norm.ppf((1 + confidence) / 2)))


def _adjusted(p: Sequence[float], method: str) -> list[float]:
    from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # here: it loads pandas, a second or so

    if not all(0 <= one <= 1 for one in p):
        raise ValueError(f"expected p-values between 0 and 1, got {list(p)}.")
    return [float(one) for one in multipletests(p, method=method)[1]] if len(p) else []
