"""What would change the answer: for each input, the nearest values below and above it from which another answer follows.

Between two breakpoints of an input the answer is the same, so that one value in between decides. The breakpoints are

- the ends of the arms' intervals, of `min_accuracy` and `p95_ms`;
- where what one arm costs more than another, or an end of its interval, is 0, of the others. Costs are linear in questions, updates and
  days, and so these are exact. In 1 / utilisation the ends are linear too unless machine time and what is paid as used vary between
  questions in different ways; there they are found by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from rag_eval.cost.arm import ArmCost
from rag_eval.cost.breakeven import BreakEven, break_even_queries, maximum_updates
from rag_eval.report.decision.candidate import Candidate
from rag_eval.report.decision.constraints import WEEK_DAYS, Constraints
from rag_eval.report.decision.outcome import Costs, Outcome, accuracy_word, assessed, costs_at, few, outcome, p95_word
from rag_eval.types import Estimate

Input = Literal["queries_per_day", "updates_per_week", "p95_ms", "min_accuracy", "utilisation", "horizon_days"]
INPUTS: tuple[Input, ...] = ("queries_per_day", "updates_per_week", "p95_ms", "min_accuracy", "utilisation", "horizon_days")
SHARES = ("min_accuracy", "utilisation")  # inputs that end at 1; all begin at 0
SAME = 1e-9  # two breakpoints this near each other, as a share of their size, are one
LEAST_UTILISATION = 1e-4  # bisection looks no further down
N_STEPS = 64  # in which bisection looks for a change of sign
N_HALVINGS = 60


@dataclass(frozen=True)
class Breakpoint:
    """A value of an input at which the answer may change."""

    value: float
    bracket: tuple[float, float] | None = None  # between which bisection found it; None = exact


@dataclass(frozen=True)
class Flip:
    """From where on another answer follows."""

    value: float
    side: Literal["below", "above", "at"]  # of the value, where the other answer follows; at: there alone
    outcome: Outcome
    bracket: tuple[float, float] | None  # between which bisection found the value; None = it is exact


@dataclass(frozen=True)
class Sensitivity:
    """One input, and what would change the answer.

    On each side stand the nearest flip at or beyond the value now, and after it the nearest one to another winner, where that is another
    flip; () = no value on that side gives another answer.
    """

    input: Input
    now: float
    below: tuple[Flip, ...]
    above: tuple[Flip, ...]

    @property
    def nearest(self) -> Flip | None:
        """The nearer one of both sides."""
        return min((*self.below[:1], *self.above[:1]), key=lambda one: abs(one.value - self.now), default=None)


def sensitivities(candidates: Sequence[Candidate], constraints: Constraints, confidence: float) -> list[Sensitivity]:
    """What would change the answer, input by input.

    Args:
        candidates: arms with different names.
        constraints: by which the answer was reached.
        confidence: of the intervals of pairs, as in the answer.

    Returns:
        One for each input.
    """
    costs = costs_at(candidates, constraints.utilisation, confidence)

    def answer(name: Input, value: float) -> Outcome:
        changed = replace(constraints, **{name: value})
        at = costs_at(candidates, value, confidence) if name == "utilisation" else costs
        return outcome(assessed(candidates, changed, at), changed, at)

    return [
        _sensitivity(name, getattr(constraints, name), _breakpoints(name, candidates, constraints, costs, confidence), answer)
        for name in INPUTS
    ]


def _sensitivity(name: Input, now: float, breakpoints: Sequence[Breakpoint], answer: Callable[[Input, float], Outcome]) -> Sensitivity:
    here, highest = answer(name, now), 1.0 if name in SHARES else math.inf
    above = sorted((one for one in breakpoints if now <= one.value < highest), key=lambda one: one.value)
    below = sorted((one for one in breakpoints if 0 < one.value <= now), key=lambda one: -one.value)

    def flips(found: Sequence[Breakpoint], end: float, side: Literal["below", "above"]) -> list[Flip]:
        told, last = [], here
        for one, following in pairwise([*found, Breakpoint(end)]):
            inside = _between(one.value, following.value)
            if inside is not None and (there := answer(name, inside)) != last:
                told.append(Flip(one.value, side, there, one.bracket))
                last = there
        return told

    down = flips(below, 0.0, "below")
    if name == "updates_per_week" and now > 0 and (never := answer(name, 0.0)) != (down[-1].outcome if down else here):
        down.append(Flip(0.0, "at", never, None))  # without updates their cost need not be known
    return Sensitivity(name, now, _told(down, here), _told(flips(above, highest, "above"), here))


def _told(flips: Sequence[Flip], here: Outcome) -> tuple[Flip, ...]:
    """The first of them, and the first to another winner."""
    others = [one for one in flips if one.outcome.winner not in (None, here.winner)]
    return tuple(dict.fromkeys((*flips[:1], *others[:1])))


def _between(one: float, other: float) -> float | None:
    """A value between two breakpoints; None = they are one."""
    if math.isinf(other):
        return 2 * one + 1
    return (one + other) / 2 if abs(one - other) > SAME * max(one, other) else None


def _breakpoints(
    name: Input, candidates: Sequence[Candidate], constraints: Constraints, costs: Costs, confidence: float
) -> list[Breakpoint]:
    if name == "min_accuracy":
        known = [one.accuracy for one in candidates if one.accuracy is not None and not few(one.accuracy.n_clusters)]
        return [Breakpoint(end) for one in known for end in (one.low, one.high)]
    if name == "p95_ms":
        return [Breakpoint(end) for one in candidates if one.p95_ms is not None for end in (one.p95_ms.low, one.p95_ms.high)]
    able = [one for one in candidates if "fails" not in (accuracy_word(one, constraints), p95_word(one, constraints))]
    pairs = list(combinations(able, 2))
    if name == "utilisation":
        return [one for a, b in pairs for one in _of_utilisation(a, b, constraints, confidence)]
    found = [0.0] if name == "updates_per_week" else []
    for a, b in pairs:
        saved = costs.saving(a.name, b.name)
        if saved is not None:
            found += _of_pair(name, costs.arms[a.name], costs.arms[b.name], saved, constraints)
    return [Breakpoint(value) for value in found if math.isfinite(value)]


def _of_pair(name: Input, first: ArmCost, second: ArmCost, saved: Estimate, constraints: Constraints) -> list[float]:
    """Where two arms cost the same, by the estimate and by each end of its interval."""
    days, hours, n_queries, n_updates = constraints.horizon_days, constraints.hours, constraints.n_queries, constraints.n_updates
    if name == "queries_per_day":
        found = break_even_queries(first, second, hours=hours, n_updates=n_updates, saving=saved)
        return [value / days for value in _ends(found)]
    if name == "updates_per_week":
        found = maximum_updates(first, second, hours=hours, n_queries=n_queries, saving=saved)
        return [value * WEEK_DAYS / days for value in _ends(found)]
    return _of_horizon(first, second, saved, constraints)


def _ends(found: BreakEven) -> list[float]:
    return [end for end in (found.value, found.low, found.high) if end is not None]


def _of_horizon(first: ArmCost, second: ArmCost, saved: Estimate, constraints: Constraints) -> list[float]:
    """Days until what the second arm costs more or less each day makes up for what it costs once."""
    one_day = replace(constraints, horizon_days=1.0)
    daily = Costs({"first": _running(first), "second": _running(second)}, {("first", "second"): saved}).extra("first", "second", one_day)
    if first.fixed_usd is None or second.fixed_usd is None:
        return []
    rates = [rate for rate in (daily.usd, daily.low, daily.high) if rate]
    return [(first.fixed_usd - second.fixed_usd) / rate for rate in rates]


def _running(arm: ArmCost) -> ArmCost:
    """What comes again."""
    return replace(arm, fixed_usd=0.0)


def _of_utilisation(first: Candidate, second: Candidate, constraints: Constraints, confidence: float) -> list[Breakpoint]:
    def ends(inverse: float) -> tuple[float, ...]:
        extra = costs_at([first, second], 1 / inverse, confidence).extra(first.name, second.name, constraints)
        return tuple(end for end in (extra.usd, extra.low, extra.high) if end is not None)

    one, two, four = (ends(inverse) for inverse in (1.0, 2.0, 4.0))
    found = []
    for at, values in enumerate(zip(one, two, four, strict=True)):
        if _is_linear(*values):
            slope = values[1] - values[0]
            found += [Breakpoint(1 / inverse)] if slope and (inverse := 1 - values[0] / slope) >= 1 else []
        else:
            found += _bisected(lambda inverse, at=at: ends(inverse)[at])  # type: ignore[misc]
    return found


def _is_linear(at_one: float, at_two: float, at_four: float) -> bool:
    size = max(map(abs, (at_one, at_two, at_four)))
    return abs(at_four - 3 * at_two + 2 * at_one) <= SAME * size


def _bisected(value: Callable[[float], float]) -> list[Breakpoint]:
    """Utilisations at which a function of their inverse changes its sign."""
    steps = np.geomspace(1.0, 1 / LEAST_UTILISATION, N_STEPS).tolist()
    found = []
    for low, high in pairwise(steps):
        if (value(low) > 0) == (value(high) > 0):
            continue
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if (value(middle) > 0) == (value(low) > 0) else (low, middle)
        found.append(Breakpoint(2 / (low + high), (1 / high, 1 / low)))
    return found
