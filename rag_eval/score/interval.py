"""A number that is not a mean, with its interval: a ratio, a shift, a percentile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A value with its interval, 95 % unless the function that made it was asked for another confidence."""

    value: float
    low: float  # -inf = nothing limits it
    high: float  # inf = nothing limits it
    n: int  # values or pairs of values that it rests on
    n_clusters: int
