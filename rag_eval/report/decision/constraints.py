"""What a deployment asks for: its load, its bounds, and the terms by which it pays."""

from __future__ import annotations

import math
from dataclasses import dataclass

DAY_H = 24.0
WEEK_DAYS = 7.0


@dataclass(frozen=True)
class Constraints:
    """The inputs of a decision.

    Raises:
        ValueError: if one of them is out of range; the message names it.
    """

    queries_per_day: float  # above 0
    updates_per_week: float  # at least 0; each changes the documents, after which an arm must answer from them
    p95_ms: float  # the longest 95th percentile of the time to an answer that is accepted, above 0
    min_accuracy: float  # the smallest share of right answers that is accepted, in [0, 1]
    utilisation: float  # share of the paid hours in which a machine works, in (0, 1]
    horizon_days: float  # over which what is spent once is spread, above 0

    def __post_init__(self) -> None:
        for name in ("queries_per_day", "p95_ms", "horizon_days"):
            _check(name, getattr(self, name), "a finite number above 0", 0 < getattr(self, name) < math.inf)
        _check("updates_per_week", self.updates_per_week, "a finite number of at least 0", 0 <= self.updates_per_week < math.inf)
        _check("min_accuracy", self.min_accuracy, "a share from 0 to 1", 0 <= self.min_accuracy <= 1)
        _check("utilisation", self.utilisation, "a share above 0 and at most 1", 0 < self.utilisation <= 1)

    @property
    def hours(self) -> float:
        """Of the horizon."""
        return DAY_H * self.horizon_days

    @property
    def n_queries(self) -> float:
        """Over the horizon."""
        return self.queries_per_day * self.horizon_days

    @property
    def n_updates(self) -> float:
        """Over the horizon."""
        return self.updates_per_week / WEEK_DAYS * self.horizon_days


def _check(name: str, value: float, expected: str, is_fine: bool) -> None:
    if not is_fine:
        raise ValueError(f"{name}: expected {expected}, got {value:g}.")
