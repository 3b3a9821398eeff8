"""What an arm costs over a horizon: in all, a question, a right answer.

For an arm X, with F to prepare, U an update of the documents, q a question, S storage an hour, over T hours with Q questions
and V updates: Total_X = F_X + V U_X + Q q_X + S_X T, all in usd. Hours, questions and updates have no default: a cost
without them says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from rag_eval.stats.estimate import estimate, is_flat, judged
from rag_eval.types import Estimate

WORDS = {
    "fixed_usd": "all before the first question",
    "update_usd": "an update",
    "query_usd": "a question",
    "storage_usd_per_hour": "storage",
    "accuracy": "the share of right answers",
}


@dataclass(frozen=True)
class ArmCost:
    """What an arm costs and how good it is; None = not measured.

    Raises:
        ValueError: if a cost is negative or not finite, or the accuracy outside [0, 1].
    """

    name: str
    fixed_usd: float | None  # F: all that is spent before the first question, trials and evaluation included
    update_usd: float | None  # U: one change of the documents, until the arm answers from them
    query_usd: Estimate | None  # q: one question, mean over questions
    storage_usd_per_hour: float | None  # S: index or adapter
    accuracy: float | None  # share of questions answered right

    def __post_init__(self) -> None:
        query = self.query_usd.mean if self.query_usd else None
        costs = {"fixed_usd": self.fixed_usd, "update_usd": self.update_usd, "query_usd": query}
        for name, value in {**costs, "storage_usd_per_hour": self.storage_usd_per_hour}.items():
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{self.name}.{name}: expected a finite cost of at least 0, got {value}.")
        if self.accuracy is not None and not 0 <= self.accuracy <= 1:
            raise ValueError(f"{self.name}.accuracy: expected a share in [0, 1], got {self.accuracy}.")


@dataclass(frozen=True)
class Amount:
    """A cost in usd, with what the interval of the cost of a question leaves open; everything else is taken as exact."""

    usd: float | None  # None = the reason says why
    low: float | None = None
    high: float | None = None
    reason: str = ""


def mean_usd(usd: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.95) -> Estimate | None:
    """Mean of what questions cost, or save.

    Amounts that are equal for all questions are taken as known exactly: they are recorded amounts at the prices of a list.

    Args:
        usd: one a question; nan = not known.
        clusters: the cluster of each question.
        confidence: level of the interval.

    Returns:
        The mean with its interval over questions; None if nothing is known.
    """
    codes, (x,) = judged(clusters, usd)
    if len(x) and is_flat(x, float(np.ptp(x))):
        mean = float(x.mean())
        return Estimate(mean, mean, mean, len(x), int(codes.max()) + 1)
    return estimate(usd, clusters, binary=False, bounds=None, confidence=confidence)


def total_cost(arm: ArmCost, *, hours: float, n_queries: float, n_updates: float) -> Amount:
    """Total cost F + V U + Q q + S T of an arm over a horizon. A term that occurs 0 times need not have been measured.

    Args:
        arm: costs of the arm.
        hours: T, length of the horizon in hours.
        n_queries: Q, number of questions.
        n_updates: V, number of changes of the documents.

    Returns:
        The total in usd with the interval of the cost of a question; not measured = None with the reason.

    Raises:
        ValueError: if the horizon is negative or not finite.
    """
    check(hours=hours, n_queries=n_queries, n_updates=n_updates)
    fixed, query = before_questions(arm, hours, n_updates), arm.query_usd
    if fixed is None or query is None:
        return Amount(None, reason=missing([arm], hours, n_updates, needs_query=True))
    return Amount(fixed + n_queries * query.mean, fixed + n_queries * query.low, fixed + n_queries * query.high)


def cost_per_query(arm: ArmCost, *, hours: float, n_queries: float, n_updates: float) -> Amount:
    """Total / Q. Raises ValueError as `total_cost` does, and without a question."""
    check_positive(n_queries=n_queries)
    return _divided(total_cost(arm, hours=hours, n_queries=n_queries, n_updates=n_updates), n_queries)


def cost_per_correct(arm: ArmCost, *, hours: float, n_queries: float, n_updates: float) -> Amount:
    """Total / (Q acc): what one right answer costs. Raises ValueError as `cost_per_query` does."""
    one = cost_per_query(arm, hours=hours, n_queries=n_queries, n_updates=n_updates)
    if arm.accuracy is None:
        return Amount(None, reason=", ".join(name for name in (one.reason, f"{arm.name}: {WORDS['accuracy']}") if name))
    if arm.accuracy == 0:
        return Amount(None, reason=f"{arm.name} gives no right answer")
    return _divided(one, arm.accuracy)


def before_questions(arm: ArmCost, hours: float, n_updates: float) -> float | None:
    """F + V U + S T; None where a term that comes at all was not measured."""
    terms = [(1.0, arm.fixed_usd), (n_updates, arm.update_usd), (hours, arm.storage_usd_per_hour)]
    costs = [usd if usd is None else times * usd for times, usd in terms if times > 0]
    known = [usd for usd in costs if usd is not None]
    return sum(known) if len(known) == len(costs) else None


def missing(arms: Sequence[ArmCost], hours: float, n_updates: float, needs_query: bool) -> str:
    """The costs that such a horizon needs and that were not measured, in words."""
    times = {"fixed_usd": 1.0, "update_usd": n_updates, "storage_usd_per_hour": hours, "query_usd": float(needs_query)}
    return ", ".join(f"{arm.name}: {WORDS[name]}" for arm in arms for name in times if times[name] > 0 and getattr(arm, name) is None)


def check(**horizon: float) -> None:
    """Check that a horizon is finite and not negative.

    Args:
        **horizon: parts of the horizon by name.

    Raises:
        ValueError: if a part is negative or not finite.
    """
    for name, value in horizon.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name}: expected a finite number of at least 0, got {value}.")


def check_positive(**horizon: float) -> None:
    """Check that a horizon is finite and above 0.

    Args:
        **horizon: parts of the horizon by name.

    Raises:
        ValueError: if a part is not above 0 or not finite.
    """
    for name, value in horizon.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a finite number above 0, got {value}.")


def _divided(amount: Amount, by: float) -> Amount:
    if amount.usd is None or amount.low is None or amount.high is None:
        return amount
    return Amount(amount.usd / by, amount.low / by, amount.high / by)
