"""A statistic that is not a mean (ratio, shift, percentile) with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval, 95 % unless its function was called with another level."""

    value: float
    low: float  # -inf = unbounded
    high: float  # inf = unbounded
    n: int  # number of values, or of pairs of values
    n_clusters: int
