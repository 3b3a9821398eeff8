"""An arm that may be chosen: how often it is right, how long it takes, and what it costs at any utilisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rag_eval.cost.arm import ArmCost, mean_usd
from rag_eval.stats.estimate import cluster_codes
from rag_eval.stats.interval import Interval
from rag_eval.stats.seeds_and_questions import two_level_difference
from rag_eval.types import Estimate


@dataclass(frozen=True)
class UtilisedCost:
    """A cost that depends on how much of its paid time a machine works."""

    paid_usd: float  # tokens and electricity, paid as used
    machine_usd: float  # time of the machine at utilisation 1

    def at(self, utilisation: float) -> float:
        """In usd, at a utilisation in (0, 1]."""
        return self.paid_usd + self.machine_usd / utilisation


@dataclass(frozen=True)
class AskedQuestion:
    """What is known of one question that an arm was asked."""

    cluster: str
    right: tuple[float, ...]  # by training seed, whether the answer was right; nan = not judged
    cost: UtilisedCost | None  # mean over the seeds; None = not measured


@dataclass(frozen=True)
class Candidate:
    """A measured arm; None = not measured, and `reasons` may say why."""

    name: str
    questions: Mapping[str, AskedQuestion]  # by id
    accuracy: Estimate | None  # share of right answers
    p95_ms: Interval | None  # of the time from a question to the end of its answer
    fixed: UtilisedCost | None  # all before the first question
    update: UtilisedCost | None  # one change of the documents
    storage_usd_per_hour: float | None  # of an index or adapter
    reasons: Mapping[str, str] = field(default_factory=dict)  # why accuracy, p95_ms or cost is not measured, by these names

    def cost(self, utilisation: float) -> ArmCost:
        """What the arm costs at a utilisation."""
        clusters = [one.cluster for one in self.questions.values()]
        return ArmCost(
            name=self.name,
            fixed_usd=None if self.fixed is None else self.fixed.at(utilisation),
            update_usd=None if self.update is None else self.update.at(utilisation),
            query_usd=mean_usd([_usd(one, utilisation) for one in self.questions.values()], clusters),
            storage_usd_per_hour=self.storage_usd_per_hour,
            accuracy=None if self.accuracy is None else self.accuracy.mean,
        )


def saving(first: Candidate, second: Candidate, utilisation: float, confidence: float) -> Estimate | None:
    """What a question costs less with the second arm, paired over the questions that both were asked; None = not measured."""
    ids = _shared(first, second)
    differences = [_usd(first.questions[id], utilisation) - _usd(second.questions[id], utilisation) for id in ids]
    clusters = [first.questions[id].cluster for id in ids]
    return mean_usd(differences, clusters, confidence)


def accuracy_gained(first: Candidate, second: Candidate, confidence: float) -> Estimate | None:
    """By how much the second arm is right more often, paired by question, seeds of each arm independent; None = not measured."""
    ids = _shared(first, second)
    if not ids:
        return None
    a, b = (np.array([one.questions[id].right for id in ids], dtype=np.float64).T for one in (first, second))
    codes = cluster_codes([first.questions[id].cluster for id in ids])
    found = two_level_difference(a, b, codes, a_is_fixed=len(a) == 1, b_is_fixed=len(b) == 1, confidence=confidence)
    return None if found is None else found.recipe


def _shared(first: Candidate, second: Candidate) -> list[str]:
    return [id for id in first.questions if id in second.questions]


def _usd(question: AskedQuestion, utilisation: float) -> float:
    return math.nan if question.cost is None else question.cost.at(utilisation)
