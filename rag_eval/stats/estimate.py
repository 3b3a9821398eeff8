"""Mean over questions with a 95 % interval that accounts for clusters of dependent questions (one entity, one article)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag_eval.types import Estimate

SHARE = (0.0, 1.0)  # range of a score
_FLAT = 1e-12  # a standard error below this multiple of the largest value is rounding error


def estimate(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    binary: bool,
    bounds: tuple[float, float] | None = SHARE,
    confidence: float = 0.95,
) -> Estimate | None:
    """Mean of the judged values with a clustered confidence interval.

    The standard error is clustered (Liang and Zeger 1986; Miller 2024, arXiv 2411.00640). Quantiles are those of Student's t
    with G - 1 degrees of freedom for G clusters. The interval is

    - for 0/1 values: Wilson's interval at the effective sample size n / design effect, at most n (Korn and Graubard 1998);
      if the standard error is 0 (all right or all wrong) the design effect is unknown, and the effective sample size is set
      to G, its conservative bound;
    - for other values: mean +- t * se, clipped to the bounds; if the standard error is 0, every cluster has the same mean,
      and Wilson's upper limit for 0 of G bounds the share of clusters whose mean may lie as far off as the bounds; without
      bounds there is no interval, and both limits are nan;
    - for a single cluster: the bounds, because the variance between clusters is unknown.

    Args:
        values: one per question; nan = not judged, excluded from n.
        clusters: the cluster of each question.
        binary: whether every value is 0 or 1.
        bounds: range of a value: (0, 1) for scores, (-1, 1) for differences of scores, None for unbounded values such as
            seconds. Bounds that a value violates are ignored; for binary values they are (0, 1).
        confidence: level of the interval.

    Returns:
        None if no question was judged, or if there is a single cluster of unbounded values.

    Raises:
        ValueError: if the two sequences differ in length, a value is infinite or a binary value is neither 0 nor 1.
    """
    codes, (x,) = judged(clusters, values)
    if not len(x):
        return None
    if binary and not np.isin(x, (0.0, 1.0)).all():
        raise ValueError(f"binary values must be 0 or 1 but reach from {x.min()} to {x.max()}.")
    interval = _interval(x, codes, binary, SHARE if binary else _holding(bounds, x), confidence)
    if interval is None:
        return None
    return Estimate(mean=float(x.mean()), low=interval[0], high=interval[1], n=len(x), n_clusters=int(codes.max()) + 1)


def clipped(found: Estimate, low: float, high: float) -> Estimate:
    """The estimate with its interval clipped to a range; one without an interval as it is."""
    return found if math.isnan(found.low) else replace(found, low=max(low, found.low), high=min(high, found.high))


def judged(clusters: Sequence[Hashable], *columns: Sequence[float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Questions judged in all columns.

    Args:
        clusters: the cluster of each question.
        *columns: values, one per question; nan = not judged.

    Returns:
        Cluster codes, int64 (n,), and values, float64 (k, n), of the n questions without nan in any of the k columns.

    Raises:
        ValueError: if lengths differ or a value is infinite.
    """
    lengths = [len(column) for column in columns]
    if any(length != len(clusters) for length in lengths):
        raise ValueError(f"{len(clusters)} questions have a cluster but {lengths} have values; give one of each a question.")
    table = np.array(columns, dtype=np.float64)
    if np.isinf(table).any():
        raise ValueError("a value is infinite; give nan for what could not be judged.")
    kept = np.flatnonzero(~np.isnan(table).any(axis=0))
    return cluster_codes([clusters[at] for at in kept.tolist()]), table[:, kept]


def cluster_codes(clusters: Sequence[Hashable]) -> NDArray[np.int64]:
    """int64 (n,): the clusters numbered from 0 without gaps, by first appearance."""
    codes = {cluster: at for at, cluster in enumerate(dict.fromkeys(clusters))}
    return np.array([codes[cluster] for cluster in clusters], dtype=np.int64)


def clustered_se(values: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Clustered standard error of a mean, with the factor G / (G - 1) for G clusters.

    Args:
        values: float64 (n,).
        codes: int64 (n,), the cluster of each value, numbered from 0 without gaps.

    Returns:
        The standard error; nan for a single cluster.
    """
    sums = np.bincount(codes, weights=values - values.mean())
    if len(sums) == 1:
        return math.nan
    return math.sqrt(float(sums @ sums) * len(sums) / (len(sums) - 1)) / len(values)


def is_flat(values: NDArray[np.float64], se: float) -> bool:
    """Whether a standard error is 0 up to rounding."""
    return se <= _FLAT * float(np.abs(values).max())


def wilson_limits(p: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a proportion.

    Args:
        p: observed proportion.
        n: sample size, which may be an effective, fractional one.
        z: quantile of the normal or Student's t distribution.

    Returns:
        Lower and upper limit, within [0, 1].
    """
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def _interval(
    x: NDArray[np.float64], codes: NDArray[np.int64], binary: bool, bounds: tuple[float, float] | None, confidence: float
) -> tuple[float, float] | None:
    from scipy.special import stdtrit  # imported here because --help reads metric declarations and must not wait for scipy

    n_clusters = int(codes.max()) + 1
    if n_clusters == 1:
        return bounds
    mean, se = float(x.mean()), clustered_se(x, codes)
    t = float(stdtrit(n_clusters - 1, (1 + confidence) / 2))
    if binary:
        return wilson_limits(mean, n_clusters if is_flat(x, se) else _effective_size(mean, se, len(x)), t)
    if is_flat(x, se):
        if bounds is None:
            return math.nan, math.nan
        _, others = wilson_limits(0.0, n_clusters, t)
        return mean - others * (mean - bounds[0]), mean + others * (bounds[1] - mean)
    low, high = bounds or (-math.inf, math.inf)
    return max(low, mean - t * se), min(high, mean + t * se)


def _effective_size(p: float, se: float, n: int) -> float:
    """Effective sample size: n divided by the design effect, at most n."""
    return min(n, n * p * (1 - p) / (n - 1) / se**2)


def _holding(bounds: tuple[float, float] | None, x: NDArray[np.float64]) -> tuple[float, float] | None:
    return bounds if bounds is not None and bounds[0] <= x.min() and x.max() <= bounds[1] else None
