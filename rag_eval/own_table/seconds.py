"""How long work takes that is told beforehand: from a few measured pieces to a sum, with an interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtrit


@dataclass(frozen=True)
class Seconds:
    """A time that is expected, with an interval: 95 % for what was measured, and the least and most of what is not decided yet."""

    mean: float
    low: float
    high: float

    def times(self, least: float, usual: float, most: float) -> Seconds:
        """So many of these, where the number itself is known only from its least to its most."""
        return Seconds(usual * self.mean, least * self.low, most * self.high if most else 0.0)  # an end may be infinite

    def each(self, n: float) -> Seconds:
        """A known number of these."""
        return self.times(n, n, n)


NOTHING = Seconds(0.0, 0.0, 0.0)


def of_samples(samples: Sequence[Sequence[float]]) -> Seconds:
    """The mean of measured times with Student's 95 % interval, whose low end is at least 0.

    Args:
        samples: seconds, one sequence for each way in which the work may be done. Of several ways the mean is that of their means, and the
            interval reaches from the lowest end to the highest.

    Returns:
        Seconds of one piece. A single measurement has no upper end: infinity.

    Raises:
        ValueError: if nothing was measured.
    """
    ways = [_of_way(one) for one in samples]
    if not ways:
        raise ValueError("nothing was measured")
    return Seconds(sum(one.mean for one in ways) / len(ways), min(one.low for one in ways), max(one.high for one in ways))


def _of_way(seconds: Sequence[float]) -> Seconds:
    if not seconds:
        raise ValueError("nothing was measured")
    mean, n = fmean(seconds), len(seconds)
    if n < 2:
        return Seconds(mean, 0.0, math.inf)
    half = float(stdtrit(n - 1, 0.975)) * stdev(seconds) / math.sqrt(n)
    return Seconds(mean, max(0.0, mean - half), mean + half)


def summed(parts: Iterable[Seconds]) -> Seconds:
    """The sum; its ends are the sums of the ends, because the parts may be slow together, as on a busy machine."""
    total = NOTHING
    for one in parts:
        total = Seconds(total.mean + one.mean, total.low + one.low, total.high + one.high)
    return total
