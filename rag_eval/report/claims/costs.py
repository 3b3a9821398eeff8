"""What arms cost, from their recorded runs in all worlds: before the first question, an update, a question, a right answer.

Prices are those of a sheet of conf/hardware, over a month. Costs before the first question are the mean over worlds and taken as exact;
intervals are those of the cost of a question. Trials of other settings are not counted: no arm of the table is tuned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from rag_eval.cost.arm import ArmCost, before_questions, mean_usd, total_cost
from rag_eval.cost.breakeven import BreakEven, break_even_queries, maximum_updates
from rag_eval.cost.prices import MONTH_H
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.claim import Measured, Missing, Number
from rag_eval.report.claims.numbers import mean_of, ratio_of
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.timed import BEFORE_MODEL
from rag_eval.report.contrast import Arm
from rag_eval.report.priced_arms import PricedArm, Terms, priced_arm, right_of_questions, sheet_named
from rag_eval.types import Estimate

SHEETS = {"cpu": "laptop_cpu", "cuda": "h200"}  # by the device that answered
HORIZON = {"hours": MONTH_H, "n_updates": 0.0}


@dataclass(frozen=True)
class PricedPool:
    """What an arm costs over all worlds."""

    cost: ArmCost
    usd: Mapping[str, float]  # by question as in Pool; nan = not timed
    right: Mapping[str, float]  # by question, 1 = right by one score; nan = not judged
    clusters: Mapping[str, str]

    def before_usd(self) -> float | None:
        """All that is spent before the first question, with a month of storage; None = not measured."""
        return before_questions(self.cost, MONTH_H, 0.0)


def runs_of(pool: Pool) -> dict[str, RecordedRun]:
    """The runs of a pool by what their questions' names begin with, as in "world.run"."""
    names: dict[str, list[str]] = {}
    for name in pool.rows:
        names.setdefault(name.partition("/")[0], []).append(name)
    runs = {}
    for (start, those), record in zip(names.items(), pool.records, strict=True):
        ids = {name.partition("/")[2]: name for name in those}
        rows = {id: pool.rows[name] for id, name in ids.items()}
        runs[start] = RecordedRun(Path(), record, rows, {id: pool.predictions[name] for id, name in ids.items()})
    return runs


def priced_pool(name: str, pool: Pool, utilisation: float, measure: str, sheet: str = "") -> PricedPool:
    """An arm under the prices of the machine that it ran on.

    Args:
        name: of the arm.
        pool: its questions and records.
        utilisation: share of the paid hours in which the machine does such work.
        measure: the score that tells right answers.
        sheet: name of the price sheet; "" = that of the device that answered.

    Returns:
        The costs, pooled over worlds.
    """
    device = pool.records[0].facts.provenance.hardware.device
    terms = Terms(sheet_named(sheet or SHEETS[device]), utilisation, MONTH_H, None, 0.0)
    usd: dict[str, float] = {}
    right: dict[str, float] = {}
    priced: list[PricedArm] = []
    for start, run in runs_of(pool).items():
        one = priced_arm(Arm(name, run), [run.record], terms, (measure,))
        priced.append(one)
        usd |= {f"{start}/{id}": value for id, value in one.per_question.items()}
        right |= {f"{start}/{id}": value for id, value in zip(run.questions, right_of_questions(run, measure), strict=True)}
    judged = [value for value in right.values() if not math.isnan(value)]
    cost = ArmCost(
        name,
        fixed_usd=_mean([one.cost.fixed_usd for one in priced]),
        update_usd=_mean([one.cost.update_usd for one in priced]),
        query_usd=mean_usd(list(usd.values()), [pool.clusters[name] for name in usd]),
        storage_usd_per_hour=_mean([one.cost.storage_usd_per_hour for one in priced]),
        accuracy=fmean(judged) if len(judged) == len(right) and judged else None,
    )
    return PricedPool(cost, usd, right, pool.clusters)


def is_one_batch(pool: Pool) -> bool:
    """Whether several questions were timed together, so that each has the same share of the same seconds."""
    seconds = [tuple(sorted(pool.predictions[name].seconds.items())) for name in pool.rows]
    return len(seconds) > 1 and seconds[0] != () and len(set(seconds)) == 1


def searching_share(pool: Pool) -> Measured:
    """Share of the seconds of the questions of an arm, in batches, that embedding and searching take."""
    seconds = [pool.predictions[name].seconds for name in pool.rows]
    steps = [sum(one.get(stage, 0.0) for stage in BEFORE_MODEL) for one in seconds]
    return ratio_of(steps, [sum(one.values()) for one in seconds], [pool.clusters[name] for name in pool.rows])


def question_ratio(over: PricedPool, under: PricedPool) -> Measured:
    """What a question costs with one arm, divided by what it costs with another, over the questions that both were asked."""
    names = _shared(over, under)
    return ratio_of([over.usd[name] for name in names], [under.usd[name] for name in names], [over.clusters[name] for name in names])


def break_even(first: PricedPool, second: PricedPool) -> tuple[BreakEven, Estimate | None]:
    """From how many questions a month on the second arm pays in place of the first, and what it saves a question."""
    names = _shared(first, second)
    saved = [first.usd[name] - second.usd[name] for name in names]
    saving = mean_usd(saved, [first.clusters[name] for name in names])
    return break_even_queries(first.cost, second.cost, saving=saving, **HORIZON), saving


def pays_from(first: PricedPool, second: PricedPool) -> Measured:
    """The break-even as a number: 0 where the second arm pays from the first question on, infinite where it never pays from any on.

    The interval is that of the saving a question. A saving that may be 0 has no upper end.
    """
    found, saving = break_even(first, second)
    if found.verdict == "NOT MEASURED" or saving is None:
        return Missing(found.reason)
    n = saving.n, saving.n_clusters
    if found.verdict == "always":
        return Number(0.0, 0.0, math.inf if saving.low < 0 else 0.0, *n)
    if found.verdict == "until":  # cheaper to prepare, dearer a question
        return Number(math.inf, 0.0 if saving.high > 0 else math.inf, math.inf, *n)
    low = math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    return Number(math.inf if found.value is None else found.value, low, high, *n)


def break_even_over(priced: Sequence[tuple[PricedPool, PricedPool]]) -> Measured:
    """From how many questions a month on fine-tuning pays, with an interval that holds it under all of these prices.

    Args:
        priced: the pools of rag and of the fine-tuned model under each; the number is that of the first.

    Returns:
        The number, or why there is none.
    """
    usual, *others = (pays_from(*one) for one in priced)
    if isinstance(usual, Missing):
        return usual
    known = [usual, *(one for one in others if isinstance(one, Number))]
    return replace(usual, low=min(one.low for one in known), high=max(one.high for one in known))


def pays_until_updates(first: PricedPool, second: PricedPool, n_queries: float) -> Measured:
    """How many updates a month the second arm bears before it costs more than the first; 0 where it costs more without any."""
    _, saving = break_even(first, second)
    found = maximum_updates(first.cost, second.cost, hours=MONTH_H, n_queries=n_queries, saving=saving)
    if found.verdict == "NOT MEASURED" or saving is None:
        return Missing(found.reason)
    n = saving.n, saving.n_clusters
    if found.verdict in ("always", "from"):
        return Number(math.inf, math.inf, math.inf, *n)
    if found.value is None:
        return Number(0.0, 0.0, 0.0 if found.high is None else found.high, *n)
    low = 0.0 if found.low is None else found.low
    return Number(found.value, low, found.value if found.high is None else found.high, *n)


def upfront_in_questions(arm: PricedPool) -> Measured:
    """How many questions cost as much as all that is spent before the first one."""
    before = arm.before_usd()
    if before is None:
        return Missing(f"{arm.cost.name}: not all that is spent before the first question was measured")
    names = list(arm.usd)
    return ratio_of([before] * len(names), list(arm.usd.values()), [arm.clusters[name] for name in names])


def total_ratio(over: PricedPool, under: PricedPool, n_queries: float) -> Measured:
    """What a month of so many questions costs in all with one arm, divided by what it costs with another."""
    found = _all_in(over, under, n_queries)
    if isinstance(found, Missing):
        return found
    names, a, b = found
    return ratio_of(a, b, [over.clusters[name] for name in names])


def right_answer_ratio(over: PricedPool, under: PricedPool, n_queries: float) -> Measured:
    """What a right answer costs in all in a month of so many questions with one arm, divided by what it costs with another.

    The interval is that of the logarithm by the delta method, over the questions that both were asked: its linear terms are
    a / mean a - r / mean r - b / mean b + s / mean s of the costs a, b and the right answers r, s.
    """
    found = _all_in(over, under, n_queries)
    if isinstance(found, Missing):
        return found
    rows = [row for row in zip(*found, strict=True) if not math.isnan(row[1] + row[2] + over.right[row[0]] + under.right[row[0]])]
    if not rows:
        return Missing("no question was priced and judged in both arms")
    names, a, b = map(list, zip(*rows, strict=True))
    r, s = ([arm.right[name] for name in names] for arm in (over, under))
    means = [fmean(column) for column in (a, r, b, s)]
    if any(not mean > 0 for mean in means):
        return Missing("an arm gives no right answer")
    centre = math.log(means[0] / means[1] / means[2] * means[3])
    terms = [
        centre + x / means[0] - right / means[1] - y / means[2] + other / means[3] for x, right, y, other in zip(a, r, b, s, strict=True)
    ]
    log = mean_of(terms, [over.clusters[name] for name in names])
    if isinstance(log, Missing):
        return log
    low_90, high_90 = (None if limit is None else math.exp(limit) for limit in (log.low_90, log.high_90))
    limits = math.exp(log.low), math.exp(log.high)
    return Number(math.exp(log.mean), *limits, log.n, log.n_clusters, log.design_effect, low_90, high_90)


def totals(arm: PricedPool, n_queries: float) -> tuple[float, float, float] | None:
    """What a month of so many questions costs in all, with its interval; None = not measured."""
    found = total_cost(arm.cost, n_queries=n_queries, **HORIZON)
    return None if found.usd is None or found.low is None or found.high is None else (found.usd, found.low, found.high)


def _all_in(over: PricedPool, under: PricedPool, n_queries: float) -> Missing | tuple[list[str], list[float], list[float]]:
    """The cost of each shared question with its share of what is spent before the first one, of both arms."""
    names = _shared(over, under)
    columns = []
    for arm in (over, under):
        before = arm.before_usd()
        if before is None:
            return Missing(f"{arm.cost.name}: not all that is spent before the first question was measured")
        columns.append([before / n_queries + arm.usd[name] for name in names])
    return names, columns[0], columns[1]


def _shared(first: PricedPool, second: PricedPool) -> list[str]:
    return [name for name in first.usd if name in second.usd]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
