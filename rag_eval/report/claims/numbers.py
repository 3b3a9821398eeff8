"""Numbers of the table from ratios, percentiles and lines: each with a 90 % interval too, which claims of equivalence take."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from rag_eval.report.claims.claim import Measured, Missing, Number
from rag_eval.report.claims.values import Values, estimate_of, mde_of
from rag_eval.stats.estimate import clustered_se, estimate, is_flat, judged
from rag_eval.stats.interval import Interval
from rag_eval.stats.power import mde_from_se
from rag_eval.stats.ratio import ratio_of_means, ratio_of_percentiles
from rag_eval.types import Estimate

SEED = 0  # of the bootstrap
FEWEST_SIZES = 3  # that a line with an interval needs

Clusters = Sequence[Hashable]


def number_of(values: Values) -> Measured:
    """The mean of one value a question.

    Args:
        values: the values; nan = could not be judged.

    Returns:
        The number with both intervals, or why there is none.
    """
    one, narrower = estimate_of(values), estimate_of(values, confidence=0.90)
    if one is None or narrower is None:
        return Missing("no question could be judged")
    deff = design_effect(values.values, values.clusters)
    return Number(one.mean, one.low, one.high, one.n, one.n_clusters, deff, narrower.low, narrower.high, mde_of(values))


def mean_of(values: Sequence[float], clusters: Clusters, is_share: bool = False) -> Measured:
    """The mean of values; nan = not measured.

    Args:
        values: one a question or repetition.
        clusters: the cluster of each.
        is_share: whether every value is 0 or 1.

    Returns:
        The number, or that nothing was measured.
    """

    def at(confidence: float) -> Estimate | None:
        return estimate(values, clusters, is_share, (0.0, 1.0) if is_share else None, confidence)

    one, narrower = at(0.95), at(0.90)
    if one is None or narrower is None:
        return Missing("nothing was measured")
    deff, mde = design_effect(values, clusters), _mde(one.low, one.high, one.n_clusters)
    return Number(one.mean, one.low, one.high, one.n, one.n_clusters, deff, narrower.low, narrower.high, mde)


def ratio_of(numerator: Sequence[float], denominator: Sequence[float], clusters: Clusters) -> Measured:
    """The mean of one divided by the mean of the other over the same questions, with Fieller's interval.

    The design effect is that of the linear terms y - r x of the ratio r.
    """
    found = _number(lambda confidence: ratio_of_means(numerator, denominator, clusters, confidence))
    if isinstance(found, Missing):
        return found
    terms = [y - found.mean * x for y, x in zip(numerator, denominator, strict=True)]
    return replace(found, design_effect=design_effect(terms, clusters))


def ratio_at(numerator: Sequence[float], denominator: Sequence[float], clusters: Clusters, q: float) -> Measured:
    """The q-quantile of one divided by that of the other over the same questions, with the interval of the cluster bootstrap."""
    return _number(lambda confidence: ratio_of_percentiles(numerator, denominator, clusters, q, SEED, confidence=confidence))


def of_repetitions(found: Measured) -> Measured:
    """A number over repetitions of a measurement, which has no clusters of questions."""
    return found if isinstance(found, Missing) else replace(found, n_clusters=None, design_effect=None)


def constant(value: float, n: int) -> Number:
    """A number that measuring again would not change, such as a size in bytes."""
    return Number(value, value, value, n, low_90=value, high_90=value)


def log_slope(means: Mapping[float, float]) -> Measured:
    """The slope of log y over log x by least squares, with Student's interval over the points.

    Args:
        means: y by x, both above 0.

    Returns:
        The slope, or that there are fewer than `FEWEST_SIZES` points.
    """
    if len(means) < FEWEST_SIZES:
        return Missing(f"a slope with an interval needs at least {FEWEST_SIZES} sizes, there are {len(means)}")
    x, y = np.log(list(means)), np.log(list(means.values()))
    apart = x - x.mean()
    slope = float(apart @ y / (apart @ apart))
    rest = y - y.mean() - slope * apart
    df = len(x) - 2
    se = math.sqrt(float(rest @ rest) / df / float(apart @ apart))
    wide, narrow = (float(stdtrit(df, (1 + confidence) / 2)) * se for confidence in (0.95, 0.90))
    mde = mde_from_se(se, df)
    return Number(slope, slope - wide, slope + wide, len(x), None, None, slope - narrow, slope + narrow, mde)


def slopes(columns: Mapping[float, Sequence[float]]) -> list[float]:
    """Of each question the slope of log y over log x by least squares.

    Args:
        columns: by x the value of every question, in one order; all above 0.

    Returns:
        A slope a question.
    """
    x = np.log(list(columns)) - np.log(list(columns)).mean()
    found: list[float] = (x @ np.log(np.array(list(columns.values()))) / (x @ x)).tolist()
    return found


def design_effect(values: Sequence[float], clusters: Clusters) -> float | None:
    """The variance of a mean with clusters over that without; None where one of them is 0 or there is a single cluster."""
    codes, (x,) = judged(clusters, values)
    if len(x) < 2 or int(codes.max()) < 1:
        return None
    se, independent = clustered_se(x, codes), float(x.std(ddof=1)) / math.sqrt(len(x))
    return None if is_flat(x, se) or independent == 0 else (se / independent) ** 2


def _number(at: Callable[[float], Interval | None]) -> Measured:
    one, narrower = at(0.95), at(0.90)
    if one is None or narrower is None or math.isnan(one.value):
        return Missing("nothing was measured")
    mde = _mde(one.low, one.high, one.n_clusters)
    return Number(one.value, one.low, one.high, one.n, one.n_clusters, None, narrower.low, narrower.high, mde)


def _mde(low: float, high: float, n_clusters: int) -> float | None:
    """The minimum detectable effect of an interval as wide, were it that of a mean."""
    if n_clusters < 2 or not math.isfinite(high - low) or high <= low:
        return None
    df = n_clusters - 1
    return mde_from_se((high - low) / 2 / float(stdtrit(df, 0.975)), df)
