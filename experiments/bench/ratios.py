"""How many times as fast something was, from blocks in which all took turns."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy.stats import t


def ratio(seconds: Sequence[float], our_seconds: Sequence[float]) -> tuple[float, float, float]:
    """How many times as fast ours was: geometric mean over the blocks and its 95% interval (Student's t of the logarithms)."""
    logs = [math.log(other / mine) for other, mine in zip(seconds, our_seconds, strict=True)]
    half = float(t.ppf(0.975, len(logs) - 1)) * statistics.stdev(logs) / math.sqrt(len(logs))
    mean = statistics.fmean(logs)
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def verdict(target: float, low: float, high: float) -> str:
    """Whether an interval says that a target was reached."""
    if low >= target:
        return "met"
    return "NOT met" if high < target else "unclear"
