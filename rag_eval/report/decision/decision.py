"""The whole decision: the answer, the arms against the constraints, the margins, and what would change the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag_eval.cost.arm import Amount
from rag_eval.report.decision.candidate import Candidate, accuracy_gained
from rag_eval.report.decision.constraints import Constraints
from rag_eval.report.decision.flips import Sensitivity, sensitivities
from rag_eval.report.decision.outcome import (
    NO_WINNER,
    Assessment,
    Costs,
    Outcome,
    assessed,
    cheapest,
    confidence_of_pairs,
    costs_at,
    is_dearer,
    monthly,
    outcome,
)
from rag_eval.types import Estimate


@dataclass(frozen=True)
class Margin:
    """Another arm that meets the constraints or may meet them, against the one that costs least."""

    name: str
    usd_per_month: Amount  # what it costs more; paired by question
    accuracy: Estimate | None  # by how much it is right more often, paired by question; None = not measured

    @property
    def is_dearer(self) -> bool:
        """Whether the intervals allow to say so."""
        return is_dearer(self.usd_per_month)


@dataclass(frozen=True)
class Decision:
    """What was asked and what the answer is."""

    constraints: Constraints
    outcome: Outcome
    candidates: tuple[Candidate, ...]
    assessments: tuple[Assessment, ...]  # of the candidates, in their order
    cheapest: str | None  # of the arms that meet the constraints or may meet them, intervals aside; None = there is none
    margins: tuple[Margin, ...]  # of the other such arms, least dear first
    confidence: float  # of the intervals of margins: together they hold at 95 %
    sensitivities: tuple[Sensitivity, ...]  # input by input


@dataclass(frozen=True)
class WinnerMap:
    """The winner by load."""

    queries_per_day: tuple[float, ...]
    updates_per_week: tuple[float, ...]
    winners: tuple[tuple[str, ...], ...]  # by updates a week, then by queries a day: an arm's name or NO_WINNER


def decide(candidates: Sequence[Candidate], constraints: Constraints) -> Decision:
    """Which arm meets the constraints at least cost, by how much, how sure, and what would change the answer.

    Args:
        candidates: arms that were asked the same questions.
        constraints: what is asked for.

    Returns:
        The answer with all that it rests on.

    Raises:
        ValueError: if two arms have one name, or there is none.
    """
    check_names(candidates)
    confidence = confidence_of_pairs(candidates)
    costs = costs_at(candidates, constraints.utilisation, confidence)
    assessments = assessed(candidates, constraints, costs)
    best = cheapest(assessments)
    return Decision(
        constraints,
        outcome(assessments, constraints, costs),
        tuple(candidates),
        tuple(assessments),
        None if best is None else best.name,
        () if best is None else tuple(_margins(candidates, assessments, best.name, constraints, costs, confidence)),
        confidence,
        tuple(sensitivities(candidates, constraints, confidence)),
    )


def answer(candidates: Sequence[Candidate], constraints: Constraints) -> Outcome:
    """The answer alone.

    Args:
        candidates: arms that were asked the same questions.
        constraints: what is asked for.

    Returns:
        The outcome of `decide`.

    Raises:
        ValueError: if two arms have one name, or there is none.
    """
    check_names(candidates)
    costs = costs_at(candidates, constraints.utilisation, confidence_of_pairs(candidates))
    return outcome(assessed(candidates, constraints, costs), constraints, costs)


def winner_map(candidates: Sequence[Candidate], constraints: Constraints, queries: Sequence[float], updates: Sequence[float]) -> WinnerMap:
    """The winner at each of several loads, all else as in the constraints.

    Args:
        candidates: arms that were asked the same questions.
        constraints: what is asked for; its own load is not used.
        queries: a day.
        updates: a week.

    Returns:
        A row for each number of updates.

    Raises:
        ValueError: if two arms have one name, or there is none, or a load is out of range.
    """
    check_names(candidates)
    costs = costs_at(candidates, constraints.utilisation, confidence_of_pairs(candidates))

    def cell(n_queries: float, n_updates: float) -> str:
        at = Constraints(**{**vars(constraints), "queries_per_day": n_queries, "updates_per_week": n_updates})
        return outcome(assessed(candidates, at, costs), at, costs).winner or NO_WINNER

    return WinnerMap(tuple(queries), tuple(updates), tuple(tuple(cell(q, u) for q in queries) for u in updates))


def check_names(candidates: Sequence[Candidate]) -> None:
    """Check that there is an arm and that every one has a name of its own.

    Args:
        candidates: arms.

    Raises:
        ValueError: if not.
    """
    names = [one.name for one in candidates]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected arms with different names, got {names}.")


def _margins(
    candidates: Sequence[Candidate],
    assessments: Sequence[Assessment],
    best: str,
    constraints: Constraints,
    costs: Costs,
    confidence: float,
) -> list[Margin]:
    by_name = {one.name: one for one in candidates}
    others = [one.name for one in assessments if one.is_contender and one.name != best]
    found = [
        Margin(
            name,
            monthly(costs.extra(best, name, constraints), constraints),
            accuracy_gained(by_name[best], by_name[name], confidence),
        )
        for name in others
    ]
    return sorted(found, key=lambda one: one.usd_per_month.usd or 0.0)
