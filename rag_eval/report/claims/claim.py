"""Claims of the table "fine-tuning versus RAG": what is stated, what is compared, the threshold, and the verdict on a measured number.

A claim is declared before the runs that decide it. A number is a mean or a ratio with its 95 % interval, the number of questions and of
clusters that it rests on, and its design effect: the variance of the mean with clusters over that without (Kish 1965).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rag_eval.made import Found, NotMade
from rag_eval.record.selection import is_under_trained
from rag_eval.report.claims.pool import Pool
from rag_eval.score.labels import label_of
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.stats.verdict import Claim, Verdict, metric_dependent, undecided, verdict

Side = Literal["fine-tuning", "RAG"]
Kind = Literal["pro", "con"]
FEWEST_CLUSTERS = 10  # with fewer, the interval of a mean over questions decides nothing


@dataclass(frozen=True)
class Number:
    """A measured number with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int  # questions, requests or repetitions
    n_clusters: int | None = None  # None = the number is not a mean over questions
    design_effect: float | None = None
    low_90: float | None = None  # of the 90 % interval, for claims of equivalence
    high_90: float | None = None
    mde: float | None = None  # minimum detectable effect


@dataclass(frozen=True)
class Missing:
    """A number that was not measured."""

    reason: str


Measured = Number | Missing


@dataclass(frozen=True)
class Results:
    """What the runs of an experiment gave."""

    arms: Found[str, Pool] = field(default_factory=Found)  # by name, over all worlds
    work: Found[str, Any] = field(default_factory=Found)  # other measurements, by name
    left_out: Mapping[str, str] = field(default_factory=dict)  # names that the preset does not run, with the reason

    def lacking(self, names: tuple[str, ...]) -> str:
        """Why a claim that needs these arms and measurements cannot be judged; "" = nothing is lacking."""
        for name in names:
            if name in self.arms or name in self.work:
                continue
            failed = self.arms.failed.get(name) or self.work.failed.get(name)
            return f"{name} failed: {failed}" if failed else self.left_out.get(name, f"{name} is not part of this preset")
        return ""


Measure = Callable[[Results, str], Measured]  # the second argument is the metric


@dataclass(frozen=True)
class TableClaim:
    """A claim of one cell of the table."""

    id: str
    side: Side
    kind: Kind
    claim: Claim
    contrast: str  # what is compared
    source: str  # of the expected direction
    measure: Measure
    needs: tuple[str, ...]  # arms and measurements
    unit: str = "share"
    metrics: tuple[str, ...] = (EM, CONTAINS)  # that must agree; one where the measure does not depend on it
    is_of_capacity: bool = False  # about what an adapter cannot hold, so that one that has not learned its questions says something


@dataclass(frozen=True)
class Finding:
    """A claim with its number and verdict."""

    claim: TableClaim
    verdict: Verdict
    number: Number | None
    reason: str = ""  # of a verdict that is NOT MEASURED or does not follow from the interval


def judge(claim: TableClaim, found: Results) -> Finding:
    """Measure a claim by each of its metrics and give the verdict.

    Args:
        claim: the claim.
        found: the results.

    Returns:
        The number by the first metric, and a verdict: METRIC-DEPENDENT where the metrics decide differently, INCONCLUSIVE where fewer
        than `FEWEST_CLUSTERS` clusters were measured or an adapter has not learned its training questions.
    """
    if lacking := found.lacking(claim.needs):
        return _not_measured(claim, lacking)
    try:
        numbers = [claim.measure(found, metric) for metric in claim.metrics]
    except NotMade as error:
        return _not_measured(claim, str(error))
    except ValueError as error:
        return _not_measured(claim, f"cannot be computed: {error}")
    first = numbers[0]
    if isinstance(first, Missing):
        return _not_measured(claim, first.reason)
    if first.n_clusters is not None and first.n_clusters < FEWEST_CLUSTERS:
        return Finding(
            claim, undecided(claim.claim, first.mde), first, f"{first.n_clusters} clusters, at least {FEWEST_CLUSTERS} are needed"
        )
    if behind := _under_trained(claim, found):
        return Finding(claim, undecided(claim.claim, first.mde), first, f"under-trained: {', '.join(behind)}")
    decided = [_decided(claim.claim, one) for one in numbers if isinstance(one, Number)]
    if len({one.word for one in decided}) > 1:
        texts = ", ".join(f"{label_of(metric)} {one.word}" for metric, one in zip(claim.metrics, decided, strict=True))
        return Finding(claim, metric_dependent(claim.claim), first, texts)
    return Finding(claim, decided[0], first)


def _under_trained(claim: TableClaim, found: Results) -> list[str]:
    """The arms of a claim of which an adapter gives too few answers of its training questions to say what training can do."""
    if claim.is_of_capacity:
        return []
    return [name for name in claim.needs if name in found.arms and any(map(is_under_trained, found.arms[name].records))]


def _decided(claim: Claim, number: Number) -> Verdict:
    found_90 = None if number.low_90 is None or number.high_90 is None else _Interval(number.low_90, number.high_90)
    return verdict(claim, _Interval(number.low, number.high), number.mde, found_90)


def _not_measured(claim: TableClaim, reason: str) -> Finding:
    return Finding(claim, verdict(claim.claim, None, None), None, reason)


@dataclass(frozen=True)
class _Interval:
    low: float
    high: float
