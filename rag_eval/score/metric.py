"""What a metric is: a function that scores, and what it declares about itself.

    @declares(Declaration(better="lower", high=None, judges="all", gold_scores_1=False))
    def n_words(prediction: Prediction, example: Example) -> float: ...

Nothing else is said of a metric anywhere: a configuration names the function, a run records the declaration, and reports read that.
A function that declares nothing is a share in [0, 1] of which more is better, is 1 for a gold answer, and judges answerable questions.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from rag_eval.types import Example

Better = Literal["higher", "lower", "neither"]
# Questions: all, those with an answer or without one, answerable ones whose evidence is known by ids or by characters. run: all together.
Judges = Literal["all", "answerable", "unanswerable", "evidence", "spans", "run"]
Asks = Literal["form", "words", "content", ""]
Depths = Literal["each", "deepest", "searched", ""]

Bounds = tuple[float, float]
Function = TypeVar("Function", bound=Callable[..., object])

_SHARE: Bounds = (0.0, 1.0)  # as in estimate.py, whose libraries are not to be loaded where a configuration is only read
_DECLARED = "_declarations"  # the attribute of a function


@dataclass(frozen=True)
class Declaration:
    """What a metric says of its values; plain data, so that a run can record it."""

    group: str = "answer"  # the part of the tracked name before the slash
    name: str = ""  # the part after it; "" = as the configuration calls the metric
    label: str = ""  # what reports call it, {k} standing for the depth; "" = words made of the tracked name
    better: Better = "higher"
    low: float | None = 0.0  # the least value; None = not bounded
    high: float | None = 1.0
    judges: Judges = "answerable"  # of the other questions it says nothing
    asks: Asks = ""  # of a right answer: the form of the gold one (strict), its words, its content in any form (lenient)
    tells_right: bool = False  # 0 or 1 for every question that it judges, 1 = right: it can be the primary score
    gold_scores_1: bool = True  # a gold answer in place of the prediction must score 1
    follows_primary: bool = False  # it says of the primary score which answers are right
    depths: Depths = ""  # of a ranking: at each of metrics.retrieval_k, at the deepest of them, once for all that was searched
    k: int | None = None  # that depth, in a record
    is_objective: bool = False  # what a sweep optimises where no answers are scored
    is_column: bool = False  # it has a column in the table of arms
    function: str = ""  # in a record: the dotted name of a metric of a whole run, which reports compute

    def __post_init__(self) -> None:
        if self.tells_right and (self.bounds != _SHARE or self.better != "higher"):
            raise ValueError(f"what tells right answers is 0 or 1 and better where it is higher, got {self}.")

    @property
    def bounds(self) -> Bounds | None:
        """What a value can be; None where an end is open."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def ends(self) -> Bounds:
        """The same with an infinite number where an end is open."""
        return (-math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)

    @property
    def bounds_of_difference(self) -> Bounds | None:
        """What a difference of two values can be; None where it is not bounded."""
        return None if self.low is None or self.high is None else (self.low - self.high, self.high - self.low)

    @property
    def is_share(self) -> bool:
        """Whether values lie in [0, 1] and more of it is better, so that it can stand for the share of right answers."""
        return self.bounds == _SHARE and self.better == "higher"

    def tracked(self, name: str) -> str:
        """The name that its values are tracked under.

        Args:
            name: what the configuration calls the metric.
        """
        depth = "" if self.k is None or self.depths == "searched" else f"_{self.k}"
        return f"{self.group}/{self.name or name}{depth}"

    def at(self, k: int) -> Declaration:
        """The same of a ranking of so many documents."""
        return replace(self, k=k, label=self.label.replace("{k}", str(k)))

    def says_of(self, example: Example) -> bool:
        """Whether it judges this question, as far as that depends on whether the question can be answered."""
        return self.judges == "all" or example.is_answerable == (self.judges != "unanswerable")


@dataclass(frozen=True)
class Metric:
    """A function that scores, and what it declares: once, or once for each kind of question of which it says another thing."""

    function: Callable[..., Any]  # of a whole run an Interval or None, else a float
    declarations: tuple[Declaration, ...] = (Declaration(),)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Metric:
        """The metric that a function is."""
        return cls(function, getattr(function, _DECLARED, (Declaration(),)))

    @property
    def tells_right(self) -> bool:
        """Whether it can be the primary score."""
        return any(one.tells_right for one in self.declarations)

    @property
    def is_of_rankings(self) -> bool:
        """Whether it can judge what was found for a question."""
        return all(one.depths and one.judges in ("evidence", "spans") for one in self.declarations)

    @property
    def is_of_runs(self) -> bool:
        """Whether it is of all questions of a run together."""
        return all(one.judges == "run" for one in self.declarations)

    @property
    def gold_scores_1(self) -> bool:
        """Whether a gold answer in place of the prediction must score 1."""
        return all(one.gold_scores_1 for one in self.declarations)


@dataclass(frozen=True)
class RunColumns:
    """What a metric of a whole run is computed from: one value a question, in order; nan = not known."""

    right: Sequence[float]  # the primary score; of an unanswerable question whether the system said that it does not know
    usd: Sequence[float]  # what answering it costs by the price sheet of the report; nan throughout without one
    clusters: Sequence[str]  # questions of one cluster are not independent


def declares(*declarations: Declaration) -> Callable[[Function], Function]:
    """A decorator that says of a function what it declares, several times where it says other things of other questions."""

    def declared(function: Function) -> Function:
        setattr(function, _DECLARED, declarations)
        return function

    return declared


def tracked(*declarations: Declaration) -> dict[str, Declaration]:
    """Declarations that have a name of their own, by the name that they are tracked under."""
    return {one.tracked(""): one for one in declarations}


def of_runs(targets: Mapping[str, str]) -> dict[str, Declaration]:
    """What metrics of whole runs declare, by tracked name, together with their functions.

    Args:
        targets: dotted functions by their names in the configuration.
    """
    found = [(name, target, one) for name, target in targets.items() for one in metric(target).declarations]
    return {one.tracked(name): replace(one, function=target) for name, target, one in found}


def metric(name: str) -> Metric:
    """The metric of a checked dotted name."""
    module, _, attribute = name.rpartition(".")
    return Metric.of(getattr(importlib.import_module(module), attribute))
