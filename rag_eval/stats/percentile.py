"""Percentiles (of latencies, for example) with distribution-free confidence intervals between order statistics."""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Sequence

import numpy as np
from scipy.special import stdtrit
from scipy.stats import binom

from rag_eval.stats.estimate import clustered_se, judged
from rag_eval.stats.interval import Interval

_TAIL = 0.025  # probability of each tail


def percentile(values: Sequence[float], q: float) -> Interval:
    """The q-quantile with a 95 % interval between two order statistics (Conover 1999, section 3.2).

    The coverage is at least 95 % for any distribution. Values that depend on each other, such as successive latencies, need
    `block_percentile` instead.

    Args:
        values: independent, finite.
        q: between 0 and 1; 0.95 for the p95.

    Returns:
        The quantile (linear interpolation, numpy's default) and its interval.

    Raises:
        ValueError: if a value is not finite, or there are fewer than `fewest(q)` values.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    if not np.isfinite(x).all():
        raise ValueError("a value is not finite; a percentile is of measured values only.")
    low, high = ranks(len(x), q)
    return Interval(float(np.quantile(x, q)), float(x[low - 1]), float(x[high - 1]), len(x), len(x))


def block_percentile(values: Sequence[float], blocks: Sequence[Hashable], q: float, confidence: float = 0.95) -> Interval | None:
    """The q-quantile of values in blocks of dependent values, such as latencies measured at one time.

    The interval is Woodruff's (1952): the standard error of the share of values up to the quantile, clustered by block and at
    least that of independent values, with Student's t, mapped back to the values. Blocks should be much longer than the
    autocorrelation of the measurements.

    Args:
        values: one per request; nan = not measured.
        blocks: the block of each value.
        q: between 0 and 1; 0.5 = the median.
        confidence: level of the interval.

    Returns:
        None if nothing was measured. A limit is infinite if the values do not reach far enough to bound it; both are for a
        single block.

    Raises:
        ValueError: if lengths differ, a value is infinite or there are fewer than `fewest(q)` values.
    """
    codes, (x,) = judged(blocks, values)
    if not len(x):
        return None
    _check(len(x), q)
    value, n_blocks = float(np.quantile(x, q)), int(codes.max()) + 1
    if n_blocks == 1:
        return Interval(value, -math.inf, math.inf, len(x), 1)
    se = max(clustered_se((x <= value).astype(np.float64), codes), math.sqrt(q * (1 - q) / len(x)))
    half = float(stdtrit(n_blocks - 1, (1 + confidence) / 2)) * se
    low = float(np.quantile(x, q - half)) if half < q else -math.inf
    high = float(np.quantile(x, q + half)) if q + half < 1 else math.inf
    return Interval(value, low, high, len(x), n_blocks)


def fewest(q: float) -> int:
    """Smallest n for which the interval [minimum, maximum] covers the q-quantile in 95 % of samples: q^n + (1 - q)^n <= 0.05.

    59 for p95, 299 for p99, 2,995 for p99.9 (ln 0.05 / ln q, rounded up), and 6 for the median.

    Args:
        q: between 0 and 1.

    Returns:
        A number of values.

    Raises:
        ValueError: unless 0 < q < 1.
    """
    if not 0 < q < 1:
        raise ValueError(f"expected 0 < q < 1, got {q}.")
    n = math.ceil(math.log(2 * _TAIL) / math.log(max(q, 1 - q)))
    return n if q**n + (1 - q) ** n <= 2 * _TAIL else n + 1


@functools.cache  # binomial tails of every rank; the timings of a report have few different sizes
def ranks(n: int, q: float) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics that bound the 95 % interval of the q-quantile.

    Each tail has at most 2.5 %. If no order statistic is far enough out for that, the interval ends at the extreme value, and
    the other tail gets the remainder of 5 %.

    Args:
        n: number of values.
        q: between 0 and 1.

    Returns:
        Lower and upper rank.

    Raises:
        ValueError: if n < fewest(q).
    """
    _check(n, q)
    at = np.arange(n)
    too_high, too_low = binom.cdf(at, n, q), binom.sf(at, n, q)  # probability that rank at + 1 misses the quantile as lower, upper limit
    spare_low = max(too_high[0], 2 * _TAIL - max(_TAIL, too_low[-1]))
    spare_high = max(too_low[-1], 2 * _TAIL - max(_TAIL, too_high[0]))
    return int(np.flatnonzero(too_high <= spare_low)[-1]) + 1, int(np.flatnonzero(too_low <= spare_high)[0]) + 1


def _check(n: int, q: float) -> None:
    if n < fewest(q):
        raise ValueError(f"the {q:g} quantile needs at least {fewest(q)} values for a 95 % interval, got {n}.")
