"""What runs were scored by: the declarations that they carry, and what follows from them for whoever reads the scores."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rag_eval.score.estimate import SHARE, estimate
from rag_eval.score.labels import label_of
from rag_eval.score.metric import Asks, Declaration
from rag_eval.types import Estimate

UNKNOWN = Declaration()  # of a measure that nothing was declared of


@dataclass(frozen=True)
class Scoring:
    """The measures of some runs and the primary one among them.

    Strict scores ask for the form of the gold answers, lenient ones for no form, and reward long answers: one is read beside the other.
    """

    declared: Mapping[str, Declaration]  # by tracked name
    primary: str

    def of(self, measure: str) -> Declaration:
        """What a measure declares."""
        return self.declared.get(measure, UNKNOWN)

    def label(self, measure: str) -> str:
        """What a reader calls a measure."""
        return label_of(measure, self.declared, self.primary)

    def asking(self, *asks: Asks) -> list[str]:
        """The measures that ask this of a right answer, in the order of what they ask."""
        return [name for one in asks for name, declaration in self.declared.items() if declaration.asks == one]

    @property
    def lenient(self) -> str:
        """The score that strict ones are read beside; "" = none is declared."""
        return next(iter(self.asking("content")), "")

    def strict(self, measure: str = "") -> str:
        """The score that is read beside the lenient one: the measure if it is strict, else the primary score, else the first strict one.

        Args:
            measure: what is compared; "" = nothing in particular.

        Returns:
            "" where there is none.
        """
        if self.of(measure).asks == "form":
            return measure
        return self.primary if self.of(self.primary).asks != "content" else next(iter(self.asking("form")), "")

    def rests_on(self, measure: str) -> str:
        """The score that a measure is, or follows from."""
        return self.primary if self.of(measure).follows_primary else measure

    def judges_answers(self, measure: str) -> bool:
        """Whether a measure says how right answers are, in whatever form."""
        declaration = self.of(measure)
        return measure == self.primary or declaration.asks != "" or declaration.follows_primary

    def mean(self, measure: str, values: Sequence[float], clusters: Sequence[Hashable]) -> Estimate | None:
        """The mean of a measure with its interval, which ends where its values do; None where no question could be judged.

        Args:
            measure: by whose declaration.
            values: one a question; nan = could not be judged.
            clusters: the cluster of each question.
        """
        declaration = self.of(measure)
        is_binary = declaration.bounds == SHARE and all(value in SHARE or math.isnan(value) for value in values)
        found = estimate(values, clusters, binary=is_binary, bounds=declaration.bounds)
        if found is None or declaration.bounds is not None:
            return found
        low, high = declaration.ends
        return replace(found, low=max(low, found.low), high=min(high, found.high))

    @property
    def of_unanswerable(self) -> str:
        """The measure that tells right answers to unanswerable questions; "" = none is declared."""
        return next((name for name, one in self.declared.items() if one.judges == "unanswerable" and one.is_share), "")

    @property
    def objective(self) -> tuple[str, ...]:
        """What a sweep optimises: the first of these that was measured."""
        return (self.primary, *(name for name, one in self.declared.items() if one.is_objective))


class Scored(Protocol):
    """A recorded run, or the result of one."""

    @property
    def scoring(self) -> Scoring: ...

    @property
    def estimates(self) -> Mapping[str, Estimate]: ...


def scoring_of(*runs: Scored) -> Scoring:
    """What these runs were scored by; of a measure that several declare, what the first says, and the primary score of the first."""
    declared: dict[str, Declaration] = {}
    for run in runs:
        declared |= {name: one for name, one in run.scoring.declared.items() if name not in declared}
    return Scoring(declared, runs[0].scoring.primary)
