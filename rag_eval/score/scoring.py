"""Metric declarations of one or more runs, and what readers of their scores derive from them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag_eval.score.labels import label_of
from rag_eval.score.metric import Asks, Declaration
from rag_eval.stats.estimate import SHARE, clipped, estimate
from rag_eval.types import Estimate

UNKNOWN = Declaration()  # used for a measure without a declaration


@dataclass(frozen=True)
class Scoring:
    """Measures of some runs and their primary score.

    Strict scores require the form of the gold answers. Lenient scores accept any form but favour long answers; reports show one of
    each side by side.
    """

    declared: Mapping[str, Declaration]  # by tracked name
    primary: str

    def of(self, measure: str) -> Declaration:
        """Declaration of a measure."""
        return self.declared.get(measure, UNKNOWN)

    def label(self, measure: str) -> str:
        """Name of a measure in reports."""
        return label_of(measure, self.declared, self.primary)

    def asking(self, *asks: Asks) -> list[str]:
        """Measures whose declaration has one of these values of `asks`, in the order of the arguments."""
        return [name for one in asks for name, declaration in self.declared.items() if declaration.asks == one]

    @property
    def lenient(self) -> str:
        """The lenient score shown beside strict ones; "" if none is declared."""
        return next(iter(self.asking("content")), "")

    def strict(self, measure: str = "") -> str:
        """The strict score shown beside the lenient one.

        This is the measure itself if it is strict, else the primary score unless that is lenient, else the first strict score.

        Args:
            measure: tracked name of the compared measure; "" = none in particular.

        Returns:
            A tracked name; "" if there is none.
        """
        if self.of(measure).asks == "form":
            return measure
        return self.primary if self.of(self.primary).asks != "content" else next(iter(self.asking("form")), "")

    def rests_on(self, measure: str) -> str:
        """The primary score if the measure is derived from it, else the measure itself."""
        return self.primary if self.of(measure).follows_primary else measure

    def judges_answers(self, measure: str) -> bool:
        """Whether a measure scores the correctness of answers."""
        declaration = self.of(measure)
        return measure == self.primary or declaration.asks != "" or declaration.follows_primary

    def mean(self, measure: str, values: Sequence[float], clusters: Sequence[Hashable]) -> Estimate | None:
        """Mean of a measure with its interval, clipped to the declared range.

        Args:
            measure: tracked name, which selects the declaration.
            values: one per question; nan = not judged.
            clusters: the cluster of each question.

        Returns:
            The estimate; None if no question was judged.
        """
        declaration = self.of(measure)
        is_binary = declaration.bounds == SHARE and all(value in SHARE or math.isnan(value) for value in values)
        found = estimate(values, clusters, binary=is_binary, bounds=declaration.bounds)
        if found is None or declaration.bounds is not None:
            return found
        return clipped(found, *declaration.ends)

    @property
    def of_unanswerable(self) -> str:
        """The measure of correctness on unanswerable questions; "" if none is declared."""
        return next((name for name, one in self.declared.items() if one.judges == "unanswerable" and one.is_share), "")

    @property
    def objective(self) -> tuple[str, ...]:
        """Objectives of a sweep in order of preference; the first that was measured is used."""
        return (self.primary, *(name for name, one in self.declared.items() if one.is_objective))


class Scored(Protocol):
    """A recorded run, or the result of one."""

    @property
    def scoring(self) -> Scoring: ...

    @property
    def estimates(self) -> Mapping[str, Estimate]: ...


def scoring_of(*runs: Scored) -> Scoring:
    """Declarations and primary score of some runs.

    If several runs declare a measure, the first declaration is used; the primary score is that of the first run.

    Args:
        *runs: at least one run.

    Returns:
        The scoring.
    """
    declared: dict[str, Declaration] = {}
    for run in runs:
        declared |= {name: one for name, one in run.scoring.declared.items() if name not in declared}
    return Scoring(declared, runs[0].scoring.primary)
