"""Which arm meets the constraints at least cost, as far as the intervals allow an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from rag_eval.cost.arm import Amount, ArmCost, before_questions, total_cost
from rag_eval.cost.prices import MONTH_H
from rag_eval.report.contrast import ALPHA, TOO_FEW_CLUSTERS
from rag_eval.report.decision.candidate import Candidate, saving
from rag_eval.report.decision.constraints import Constraints
from rag_eval.types import Estimate

Word = Literal["meets", "fails", "cannot be told", "not measured"]
WORST_FIRST: tuple[Word, ...] = ("fails", "not measured", "cannot be told", "meets")
NO_WINNER = "no winner"
ROUNDING = 1e-9  # share of what arms cost below which a difference is none


@dataclass(frozen=True)
class Outcome:
    """The answer.

    - winner: one arm is shown to meet the constraints and to cost less than every other that meets or may meet them;
    - no winner: some arm meets or may meet them, and the intervals leave open which one costs least;
    - none meets: every arm is shown to fail a constraint;
    - not measured: some arm does not, and of no such arm all is known that the answer needs.
    """

    kind: Literal["winner", "no winner", "none meets", "not measured"]
    winner: str | None = None

    @property
    def text(self) -> str:
        """The winner's name, else what the answer is."""
        return self.winner or self.kind


@dataclass(frozen=True)
class Assessment:
    """One arm against the constraints."""

    name: str
    accuracy: Word
    p95: Word
    usd_per_month: Amount  # over the horizon, what is spent once included

    @property
    def word(self) -> Word:
        """Whether it meets all of them; an arm that fails one fails, whatever else was not measured."""
        cost: Word = "not measured" if self.usd_per_month.usd is None else "meets"
        return min(self.accuracy, self.p95, cost, key=WORST_FIRST.index)

    @property
    def is_contender(self) -> bool:
        """Whether it meets the constraints or may meet them, and has a price."""
        return self.word in ("meets", "cannot be told")


@dataclass(frozen=True)
class Costs:
    """What arms cost at one utilisation, and how their questions differ in cost."""

    arms: Mapping[str, ArmCost]
    savings: Mapping[tuple[str, str], Estimate | None]  # by first and second arm: the first's question less the second's

    def extra(self, first: str, second: str, constraints: Constraints) -> Amount:
        """What the second arm costs more than the first over the horizon; the interval is that of the paired questions.

        Args:
            first: an arm.
            second: another one.
            constraints: with the horizon.

        Returns:
            An amount without an interval where the questions are of too few clusters for one.
        """
        one, other = (before_questions(self.arms[name], constraints.hours, constraints.n_updates) for name in (first, second))
        saved = self.saving(first, second)
        if one is None or other is None or saved is None:
            return Amount(None, reason="not measured")
        once, n = other - one, constraints.n_queries
        extras = (once - n * end for end in (saved.mean, saved.high, saved.low))
        least = ROUNDING * max(one, other, n * self._question_usd(first), n * self._question_usd(second))
        mean, low, high = (0.0 if abs(end) <= least else end for end in extras)
        return Amount(mean, reason=few(saved.n_clusters)) if few(saved.n_clusters) else Amount(mean, low, high)

    def _question_usd(self, name: str) -> float:
        found = self.arms[name].query_usd
        return 0.0 if found is None else found.mean

    def saving(self, first: str, second: str) -> Estimate | None:
        """What a question costs less with the second arm; None = not measured."""
        if (first, second) in self.savings:
            return self.savings[first, second]
        found = self.savings[second, first]
        return None if found is None else Estimate(-found.mean, -found.high, -found.low, found.n, found.n_clusters)


def costs_at(candidates: Sequence[Candidate], utilisation: float, confidence: float) -> Costs:
    """The costs of the arms, and of every pair what a question saves.

    Args:
        candidates: arms with different names.
        utilisation: in (0, 1].
        confidence: of the intervals of pairs.

    Returns:
        What the outcome is computed from.
    """
    paired = _with_shared_questions(candidates)
    savings = {(a.name, b.name): saving(a, b, utilisation, confidence) for a, b in combinations(paired, 2)}
    return Costs({one.name: one.cost(utilisation) for one in paired}, savings)


def _with_shared_questions(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The arms with those questions alone whose cost is known in every arm that has some, so that their means are of the same questions."""
    known = [{id for id, question in one.questions.items() if question.cost is not None} for one in candidates]
    shared = set.intersection(*some) if (some := [ids for ids in known if ids]) else set()
    return [
        replace(one, questions={id: question for id, question in one.questions.items() if id in shared}) if ids and shared else one
        for one, ids in zip(candidates, known, strict=True)
    ]


def confidence_of_pairs(candidates: Sequence[Candidate]) -> float:
    """The level at which intervals of all pairs of arms hold together at 95 % (Bonferroni)."""
    return 1 - ALPHA / max(1, len(candidates) * (len(candidates) - 1) // 2)


def assessed(candidates: Sequence[Candidate], constraints: Constraints, costs: Costs) -> list[Assessment]:
    """Every arm against the constraints, in order."""
    return [
        Assessment(one.name, accuracy_word(one, constraints), p95_word(one, constraints), per_month(costs.arms[one.name], constraints))
        for one in candidates
    ]


def outcome(assessments: Sequence[Assessment], constraints: Constraints, costs: Costs) -> Outcome:
    """The answer that follows from the assessments."""
    best = cheapest(assessments)
    if best is None:
        return Outcome("none meets" if all(one.word == "fails" for one in assessments) else "not measured")
    others = [one.name for one in assessments if one.is_contender and one.name != best.name]
    if best.word == "meets" and all(is_dearer(costs.extra(best.name, name, constraints)) for name in others):
        return Outcome("winner", best.name)
    return Outcome("no winner")


def cheapest(assessments: Sequence[Assessment]) -> Assessment | None:
    """The contender that costs least, intervals aside; None = there is no contender."""
    priced = [(one.usd_per_month.usd, at) for at, one in enumerate(assessments) if one.is_contender and one.usd_per_month.usd is not None]
    return assessments[min(priced)[1]] if priced else None


def is_dearer(extra: Amount) -> bool:
    """Whether the whole interval of what an arm costs more is above 0."""
    return extra.low is not None and extra.low > 0


def accuracy_word(candidate: Candidate, constraints: Constraints) -> Word:
    """The interval of the share of right answers against the least that is accepted."""
    found = candidate.accuracy
    if found is None:
        return "not measured"
    if few(found.n_clusters):
        return "cannot be told"
    return "meets" if found.low >= constraints.min_accuracy else "fails" if found.high < constraints.min_accuracy else "cannot be told"


def p95_word(candidate: Candidate, constraints: Constraints) -> Word:
    """The interval of the 95th percentile, between order statistics, against the longest that is accepted."""
    found = candidate.p95_ms
    if found is None:
        return "not measured"
    return "meets" if found.high <= constraints.p95_ms else "fails" if found.low > constraints.p95_ms else "cannot be told"


def per_month(arm: ArmCost, constraints: Constraints) -> Amount:
    """What an arm costs over the horizon, by months of 730 hours."""
    return monthly(total_cost(arm, hours=constraints.hours, n_queries=constraints.n_queries, n_updates=constraints.n_updates), constraints)


def monthly(amount: Amount, constraints: Constraints) -> Amount:
    """An amount over the horizon as one of a month."""
    usd, low, high = (None if end is None else end * MONTH_H / constraints.hours for end in (amount.usd, amount.low, amount.high))
    return Amount(usd, low, high, amount.reason)


def few(n_clusters: int) -> str:
    """Why an interval decides nothing; "" = it may."""
    return f"{n_clusters} clusters of the {TOO_FEW_CLUSTERS} that an interval needs" if n_clusters < TOO_FEW_CLUSTERS else ""
