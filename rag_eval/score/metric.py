"""Metrics: a scoring function and the declaration of its properties.

    @declares(Declaration(better="lower", high=None, judges="all", gold_scores_1=False))
    def n_words(prediction: Prediction, example: Example) -> float: ...

The declaration is the only source of these properties: a configuration names the function, a run records the declaration, and
reports read the record. By default a metric is a share in [0, 1], higher is better, a gold answer scores 1, and it judges
answerable questions.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from rag_eval.types import Example

Better = Literal["higher", "lower", "neither"]
# Which questions: all, with or without an answer, answerable with evidence known by ids or by characters; run = one value per run.
Judges = Literal["all", "answerable", "unanswerable", "evidence", "spans", "run"]
Asks = Literal["form", "words", "content", ""]
Depths = Literal["each", "deepest", "searched", ""]

Bounds = tuple[float, float]
Function = TypeVar("Function", bound=Callable[..., object])

_SHARE: Bounds = (0.0, 1.0)  # the same as in estimate.py, not imported because reading a configuration should not load numpy
_DECLARED = "_declarations"  # attribute of a function that stores its declarations


@dataclass(frozen=True)
class Declaration:
    """Properties of the values of a metric; plain data, so that a run can record it."""

    group: str = "answer"  # the part of the tracked name before the slash
    name: str = ""  # the part after it; "" = the metric's name in the configuration
    label: str = ""  # name in reports, {k} = depth; "" = made from the tracked name
    better: Better = "higher"
    low: float | None = 0.0  # smallest possible value; None = unbounded
    high: float | None = 1.0
    judges: Judges = "answerable"  # the questions that have a value
    asks: Asks = ""  # what must agree with the gold answer: its form (strict), its words, or its content in any form (lenient)
    tells_right: bool = False  # 0 or 1 for every judged question, 1 = right: can be the primary score
    gold_scores_1: bool = True  # a gold answer in place of the prediction must score 1
    follows_primary: bool = False  # derived from the primary score
    depths: Depths = ""  # of a ranking metric: at each of metrics.retrieval_k, at the deepest of them, or at the search depth
    k: int | None = None  # the depth, in a record
    is_objective: bool = False  # objective of a sweep if no answers are scored
    is_column: bool = False  # whether the table of arms has a column for it
    function: str = ""  # in a record: dotted name of a metric of a whole run, computed by reports

    def __post_init__(self) -> None:
        if self.tells_right and (self.bounds != _SHARE or self.better != "higher"):
            raise ValueError(f"what tells right answers is 0 or 1 and better where it is higher, got {self}.")

    @property
    def bounds(self) -> Bounds | None:
        """Range of a value; None if an end is unbounded."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def ends(self) -> Bounds:
        """Range of a value, infinite where an end is unbounded."""
        return (-math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)

    @property
    def bounds_of_difference(self) -> Bounds | None:
        """Range of a difference of two values; None if it is unbounded."""
        return None if self.low is None or self.high is None else (self.low - self.high, self.high - self.low)

    @property
    def is_share(self) -> bool:
        """Whether values lie in [0, 1] and higher is better, so that the mean reads as a share of right answers."""
        return self.bounds == _SHARE and self.better == "higher"

    def tracked(self, name: str) -> str:
        """Name under which the values are tracked, `group/name` or `group/name_k`.

        Args:
            name: the metric's name in the configuration.

        Returns:
            The tracked name.
        """
        depth = "" if self.k is None or self.depths == "searched" else f"_{self.k}"
        return f"{self.group}/{self.name or name}{depth}"

    def at(self, k: int) -> Declaration:
        """Copy of the declaration of a ranking metric for depth k."""
        return replace(self, k=k, label=self.label.replace("{k}", str(k)))

    def says_of(self, example: Example) -> bool:
        """Whether the metric judges a question, as far as that depends on the question being answerable."""
        return self.judges == "all" or example.is_answerable == (self.judges != "unanswerable")


@dataclass(frozen=True)
class Metric:
    """A scoring function and its declarations: one, or several if its properties depend on the kind of question."""

    function: Callable[..., Any]  # returns a float; for a whole run an Interval or None
    declarations: tuple[Declaration, ...] = (Declaration(),)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Metric:
        """Metric of a function, with the declarations attached by `declares` or else the default one."""
        return cls(function, getattr(function, _DECLARED, (Declaration(),)))

    @property
    def tells_right(self) -> bool:
        """Whether it can be the primary score."""
        return any(one.tells_right for one in self.declarations)

    @property
    def is_of_rankings(self) -> bool:
        """Whether it scores the ranking retrieved for a question."""
        return all(one.depths and one.judges in ("evidence", "spans") for one in self.declarations)

    @property
    def is_of_runs(self) -> bool:
        """Whether it has one value per run."""
        return all(one.judges == "run" for one in self.declarations)

    @property
    def gold_scores_1(self) -> bool:
        """Whether a gold answer as the prediction must score 1."""
        return all(one.gold_scores_1 for one in self.declarations)


@dataclass(frozen=True)
class RunColumns:
    """Input of a metric of a whole run: one value per question, in order; nan = not known."""

    right: Sequence[float]  # primary score; for an unanswerable question 1.0 if the system abstained
    usd: Sequence[float]  # cost of answering by the report's price sheet; all nan without one
    clusters: Sequence[str]  # cluster of each question; questions of one cluster are dependent


def declares(*declarations: Declaration) -> Callable[[Function], Function]:
    """Decorator that attaches declarations to a metric function."""

    def declared(function: Function) -> Function:
        setattr(function, _DECLARED, declarations)
        return function

    return declared


def tracked(*declarations: Declaration) -> dict[str, Declaration]:
    """Declarations that have a name of their own, by tracked name."""
    return {one.tracked(""): one for one in declarations}


def of_runs(targets: Mapping[str, str]) -> dict[str, Declaration]:
    """Declarations of metrics of whole runs, by tracked name, with `function` filled in.

    Args:
        targets: dotted function names by the metrics' names in the configuration.

    Returns:
        Declarations by tracked name.
    """
    found = [(name, target, one) for name, target in targets.items() for one in metric(target).declarations]
    return {one.tracked(name): replace(one, function=target) for name, target, one in found}


def metric(name: str) -> Metric:
    """Metric of a validated dotted name."""
    module, _, attribute = name.rpartition(".")
    return Metric.of(getattr(importlib.import_module(module), attribute))
