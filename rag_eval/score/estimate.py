"""A mean over questions with a 95 % interval that knows that questions of one entity or article are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from rag_eval.types import Estimate

SHARE = (0.0, 1.0)  # what a score can be
_FLAT = 1e-12  # a standard error this far below the largest value is rounding


def estimate(values: Sequence[float], clusters: Sequence[str], binary: bool, bounds: tuple[float, float] | None = SHARE) -> Estimate | None:
    """The mean of the values that could be judged, with its 95 % interval.

    The standard error is clustered (Liang and Zeger 1986; Miller 2024, arXiv 2411.00640), quantiles are of Student's t
    with G - 1 degrees of freedom for G clusters, at any G. The interval is

    - of 0/1 values: Wilson's at the effective sample size n / design effect, at most n (Korn and Graubard 1998);
      where the standard error is 0, as for all right or all wrong, nothing is known about the design effect and the
      effective size is G, as if each cluster were one question: the conservative end;
    - of other values: mean +- t * se, cut at the bounds; where the standard error is 0, Wilson's as above, scaled to
      the bounds, because no variable between bounds varies more than a 0/1 one;
    - of a single cluster: the bounds, because nothing tells how much clusters differ.

    Args:
        values: one a question; nan = could not be judged, left out of n.
        clusters: the cluster of each question.
        binary: whether every value is 0 or 1.
        bounds: what a value can be at all: (0, 1) for scores, (-1, 1) for differences of scores, None for seconds.
            Bounds that some value breaks are ignored; those of binary values are (0, 1).

    Returns:
        None when no question could be judged, which is not a 0, and when a single cluster of unbounded values leaves
        no interval to state.

    Raises:
        ValueError: if the two sequences differ in length, a value is infinite or a binary one neither 0 nor 1.
    """
    judged = [(value, cluster) for value, cluster in zip(values, clusters, strict=True) if not math.isnan(value)]
    if not judged:
        return None
    x = np.array([value for value, _ in judged], dtype=np.float64)
    codes = {cluster: at for at, cluster in enumerate(dict.fromkeys(cluster for _, cluster in judged))}
    _check(x, binary)
    interval = _interval(x, np.array([codes[cluster] for _, cluster in judged]), binary, SHARE if binary else _holding(bounds, x))
    if interval is None:
        return None
    return Estimate(mean=float(x.mean()), low=interval[0], high=interval[1], n=len(x), n_clusters=len(codes))


def clustered_se(values: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Standard error of a mean, clustered, with the factor G / (G - 1) for G clusters.

    Args:
        values: float64 (n,).
        codes: int64 (n,), the cluster of each value, numbered from 0 without gaps.

    Returns:
        nan for a single cluster.
    """
    sums = np.bincount(codes, weights=values - values.mean())
    if len(sums) == 1:
        return math.nan
    return math.sqrt(float(sums @ sums) * len(sums) / (len(sums) - 1)) / len(values)


def _interval(
    x: NDArray[np.float64], codes: NDArray[np.int64], binary: bool, bounds: tuple[float, float] | None
) -> tuple[float, float] | None:
    n_clusters = int(codes.max()) + 1
    if n_clusters == 1:
        return bounds
    mean, se = float(x.mean()), clustered_se(x, codes)
    t = float(stdtrit(n_clusters - 1, 0.975))
    is_flat = se <= _FLAT * float(np.abs(x).max())
    if bounds is not None and (binary or is_flat):
        low, high = bounds
        below, above = _wilson((mean - low) / (high - low), n_clusters if is_flat else _effective_size(mean, se, len(x)), t)
        return low + (high - low) * below, low + (high - low) * above
    low, high = bounds or (-math.inf, math.inf)
    return max(low, mean - t * se), min(high, mean + t * se)


def _effective_size(p: float, se: float, n: int) -> float:
    """How many independent 0/1 values would know as much: n over the design effect, at most n."""
    return min(n, n * p * (1 - p) / (n - 1) / se**2)


def _wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval of a share p among n."""
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def _holding(bounds: tuple[float, float] | None, x: NDArray[np.float64]) -> tuple[float, float] | None:
    return bounds if bounds is not None and bounds[0] <= x.min() and x.max() <= bounds[1] else None


def _check(x: NDArray[np.float64], binary: bool) -> None:
    if not np.isfinite(x).all():
        raise ValueError("a value is infinite; give nan for what could not be judged.")
    if binary and not np.isin(x, (0.0, 1.0)).all():
        raise ValueError(f"binary values must be 0 or 1 but reach from {x.min()} to {x.max()}.")
