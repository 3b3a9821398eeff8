"""Claims of the table "fine-tuning versus RAG": what is stated, what is compared, the threshold, and the verdict on a measured number.

A claim is declared before the runs that decide it. A number is a mean or a ratio with its 95 % interval, the number of questions and of
clusters that it rests on, and its design effect: the variance of the mean with clusters over that without (Kish 1965). Beside it stands the
minimum detectable effect, and the number of trainings where the claim is about a trained model. A claim may have preconditions, without
which its number says nothing: that a model which is said to forget something had it before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rag_eval.made import Found, NotMade
from rag_eval.record.selection import is_under_trained
from rag_eval.report.claims.pool import Pool
from rag_eval.score.labels import label_of
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.stats.power import mde_from_se
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
class Precondition:
    """A statement without which a claim says nothing: that a number, with its whole 95 % interval, is above a bound."""

    text: str
    measure: Measure
    above: float
    needs: tuple[str, ...]  # arms and measurements

    def failure(self, found: Results, metric: str) -> str:
        """Why the statement does not hold or is not known; "" = it holds."""
        lacking = found.lacking(self.needs)
        measured = Missing(lacking) if lacking else self.measure(found, metric)
        if isinstance(measured, Missing):
            return f"not known whether {self.text}: {measured.reason}"
        if measured.low > self.above:
            return ""
        interval = f"{measured.mean:.3g} [{measured.low:.3g}, {measured.high:.3g}]"
        return f"not shown that {self.text}: {interval}, above {self.above:g} is required"


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
    given: tuple[Precondition, ...] = ()  # without which the number says nothing


@dataclass(frozen=True)
class Finding:
    """A claim with its number and verdict."""

    claim: TableClaim
    verdict: Verdict
    number: Number | None
    reason: str = ""  # of a verdict that is NOT MEASURED or does not follow from the interval
    n_trainings: int | None = None  # of the trained arm with the fewest; None = no arm that the claim needs is trained
    is_doubted: bool = False  # whether the number decides nothing, however narrow its interval

    @property
    def mde(self) -> float | None:
        """The minimum detectable effect; None = there is no number, or its interval has no end."""
        return None if self.number is None else detectable(self.number)

    @property
    def scope(self) -> str:
        """What the interval does not cover; "" = nothing to add."""
        return "one training: the interval is of its questions only" if self.n_trainings == 1 and self.number is not None else ""


def detectable(number: Number) -> float | None:
    """The minimum detectable effect of a number at 5 % and a power of 80 %, two-sided.

    Args:
        number: the number. Where its measure gives no effect, the wider side of its 95 % interval takes the place of t * se.

    Returns:
        The effect, in the units of the number; 0 for a number without an error; None where the interval has no end or rests on one
        cluster.
    """
    if number.mde is not None:
        return number.mde
    half = max(number.mean - number.low, number.high - number.mean)
    df = (number.n if number.n_clusters is None else number.n_clusters) - 1
    if half == 0:
        return 0.0
    if not math.isfinite(half) or df < 1:
        return None
    from scipy.special import stdtrit  # takes a while to import

    return mde_from_se(half / float(stdtrit(df, 0.975)), df)


def judge(claim: TableClaim, found: Results) -> Finding:
    """Measure a claim by each of its metrics and give the verdict.

    Args:
        claim: the claim.
        found: the results.

    Returns:
        The number by the first metric, and a verdict: METRIC-DEPENDENT where the metrics decide differently, INCONCLUSIVE where fewer
        than `FEWEST_CLUSTERS` clusters were measured, an adapter has not learned its training questions, or a precondition fails.
    """
    if lacking := found.lacking(claim.needs):
        return _not_measured(claim, lacking)
    try:
        numbers = [claim.measure(found, metric) for metric in claim.metrics]
        first = numbers[0]
        if isinstance(first, Missing):
            return _not_measured(claim, first.reason)
        doubt = _doubt(claim, found, first)
    except NotMade as error:
        return _not_measured(claim, str(error))
    except ValueError as error:
        return _not_measured(claim, f"cannot be computed: {error}")
    n_trainings = _n_trainings(claim, found)
    if doubt:
        return Finding(claim, undecided(claim.claim, detectable(first)), first, doubt, n_trainings, is_doubted=True)
    decided = [_decided(claim.claim, one) for one in numbers if isinstance(one, Number)]
    if len({one.word for one in decided}) > 1:
        texts = ", ".join(f"{label_of(metric)} {one.word}" for metric, one in zip(claim.metrics, decided, strict=True))
        return Finding(claim, metric_dependent(claim.claim), first, texts, n_trainings)
    reason = _too_wide(claim.claim, first) if decided[0].word == "INCONCLUSIVE" else ""
    return Finding(claim, decided[0], first, reason, n_trainings)


def _doubt(claim: TableClaim, found: Results, number: Number) -> str:
    """Why a number decides nothing; "" = it may."""
    if number.n_clusters is not None and number.n_clusters < FEWEST_CLUSTERS:
        return f"{number.n_clusters} clusters, at least {FEWEST_CLUSTERS} are needed"
    if behind := _under_trained(claim, found):
        return f"under-trained: {', '.join(behind)}"
    return "; ".join(filter(None, (one.failure(found, claim.metrics[0]) for one in claim.given)))


def _under_trained(claim: TableClaim, found: Results) -> list[str]:
    """The arms of a claim of which an adapter gives too few answers of its training questions to say what training can do."""
    if claim.is_of_capacity:
        return []
    return [name for name in claim.needs if name in found.arms and any(map(is_under_trained, found.arms[name].records))]


def _n_trainings(claim: TableClaim, found: Results) -> int | None:
    """Trainings of the arm that has the fewest: one in each of its worlds."""
    trained = [found.arms[name] for name in claim.needs if name in found.arms and _is_trained(found.arms[name])]
    return min((len(_worlds(pool.rows)) for pool in trained), default=None)


def _is_trained(pool: Pool) -> bool:
    return any(record.facts.provenance.is_trained for record in pool.records)


def _worlds(names: Collection[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _too_wide(claim: Claim, number: Number) -> str:
    """That an interval could not lie within the margin wherever it was; "" = it could, or there is no margin."""
    if claim.margin is None or number.low_90 is None or number.high_90 is None or number.high_90 - number.low_90 < 2 * claim.margin:
        return ""
    return f"the 90 % interval is as wide as the margin allows or wider: {number.high_90 - number.low_90:.2g} of {2 * claim.margin:g}"


def _decided(claim: Claim, number: Number) -> Verdict:
    found_90 = None if number.low_90 is None or number.high_90 is None else _Interval(number.low_90, number.high_90)
    return verdict(claim, _Interval(number.low, number.high), detectable(number), found_90)


def _not_measured(claim: TableClaim, reason: str) -> Finding:
    return Finding(claim, verdict(claim.claim, None, None), None, reason)


@dataclass(frozen=True)
class _Interval:
    low: float
    high: float
