"""Measures of claims: from the results of the runs to a number. Those of single questions are in `values`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np

from rag_eval.report.claims.claim import FEWEST_CLUSTERS, Measure, Measured, Missing, Number, Precondition, Results
from rag_eval.report.claims.numbers import number_of
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.values import ABSTAINS, HELD, Pools, Values, gap, mean, values_of
from rag_eval.stats.paired_tests import DIFFERENCE
from rag_eval.types import Prediction

ValuesOf = Callable[[Pools], Values]
Only = Callable[[Pools, str], list[str]]  # names of the questions of an arm that count
Test = Callable[[Prediction], bool]
LARGE = 0.2  # difference of two shares that is claimed where the protocol states no other (2.7 H3, 3.6 E10)
MOSTLY = 0.5  # share of the questions from which on an arm is taken to do something at all


def of(values: ValuesOf) -> Measure:
    """The mean of these values, whichever metric is asked for."""
    return lambda found, _: number_of(values(found.arms))


def by_metric(values: Callable[[str], ValuesOf]) -> Measure:
    """The mean of the values that a metric gives."""
    return lambda found, metric: number_of(values(metric)(found.arms))


def change(first: str, second: str, only: Only | None = None) -> Measure:
    """second - first by the metric, over the questions that both were asked and that count in the first; None = all count."""
    return by_metric(lambda metric: gap(first, second, only, metric))


def less_share(arm: str, share: float, ceiling: str, only: Only | None = None) -> Measure:
    """Compare an arm with a share of another one, over the questions that both were asked.

    Args:
        arm: the arm.
        share: of the ceiling's score, in [0, 1].
        ceiling: the other arm.
        only: which questions of the arm count; None = all.

    Returns:
        The measure: metric of the arm - share * metric of the ceiling.
    """

    def of_metric(metric: str) -> ValuesOf:
        def values(found: Pools) -> Values:
            one, most = found[arm], found[ceiling]
            names = [name for name in (only(found, arm) if only else one.rows) if name in most.rows]
            pairs = zip(one.column(metric, names), most.column(metric, names), strict=True)
            return values_of(one, [a - share * b for a, b in pairs], names, (-share, 1.0))

        return values

    return by_metric(of_metric)


def bend(ends: tuple[str, str], middle: str) -> Measure:
    """How far the metric of an arm halfway between two others is above the mean of these: 0 on a straight line."""

    def of_metric(metric: str) -> ValuesOf:
        def values(found: Pools) -> Values:
            first, last = (found[name] for name in ends)
            names = [name for name in found[middle].rows if name in first.rows and name in last.rows]
            columns = (pool.column(metric, names) for pool in (first, found[middle], last))
            return values_of(first, [b - (a + c) / 2 for a, b, c in zip(*columns, strict=True)], names, DIFFERENCE)

        return values

    return by_metric(of_metric)


def without_evidence(found: Pools, arm: str) -> list[str]:
    """The questions of an arm in whose prompt the evidence lacked."""
    return [name for name, row in found[arm].rows.items() if row.get(HELD) == 0.0]


def where(values: ValuesOf, only: Only, arm: str) -> ValuesOf:
    """The values of the questions that count in an arm."""
    return lambda found: values(found).only(set(only(found, arm)))


def answers(arm: str, text: str, only: Only | None = None) -> Precondition:
    """That an arm answers most questions.

    Args:
        arm: the arm.
        text: the statement, for readers.
        only: which of its questions count; None = all.

    Returns:
        The precondition.
    """

    def of_metric(metric: str) -> ValuesOf:
        return where(mean(arm, metric), only, arm) if only else mean(arm, metric)

    return Precondition(text, by_metric(of_metric), MOSTLY, (arm,))


def says_unknown(arm: str, text: str) -> Precondition:
    """That an arm says unknown, when unanswerable, to more questions than the `LARGE` share that it is claimed to do so more often.

    Args:
        arm: the arm.
        text: the statement, for readers.

    Returns:
        The precondition.
    """
    return Precondition(text, of(mean(arm, ABSTAINS)), LARGE, (arm,))


def with_evidence(found: Pools, arm: str) -> list[str]:
    """The questions of an arm in whose prompt the evidence stood."""
    return [name for name, row in found[arm].rows.items() if row.get(HELD) == 1.0]


def said(arm: str, test: Test) -> ValuesOf:
    """Whether the answers of an arm pass a test."""

    def values(found: Pools) -> Values:
        names = list(found[arm].rows)
        return values_of(found[arm], _passed(found[arm], names, test), names)

    return values


def said_more(first: str, second: str, test: Test) -> ValuesOf:
    """Whether the answers of the second arm pass a test, less that of the first, over the questions that both were asked."""

    def values(found: Pools) -> Values:
        a, b = found[first], found[second]
        names = [name for name in a.rows if name in b.rows]
        pairs = zip(_passed(a, names, test), _passed(b, names, test), strict=True)
        return values_of(a, [after - before for before, after in pairs], names, DIFFERENCE)

    return values


def _passed(pool: Pool, names: Sequence[str], test: Test) -> list[float]:
    return [float(test(pool.predictions[name])) for name in names]


def worth_of_evidence(arm: str) -> Measure:
    """P(right | the evidence stood in the prompt) - P(right | it did not): its linear terms (the delta method), whose mean it is.

    Missing where either share rests on fewer than `FEWEST_CLUSTERS` clusters.
    """

    def measure(found: Results, metric: str) -> Measured:
        pool = found.arms[arm]
        names = [name for name, row in pool.rows.items() if row.get(HELD) is not None and row.get(metric) is not None]
        right, held = (np.array(pool.column(one, names)) for one in (metric, HELD))
        for what, chosen in (("with", held == 1.0), ("without", held == 0.0)):
            n = len({pool.clusters[name] for name, is_chosen in zip(names, chosen, strict=True) if is_chosen})
            if n < FEWEST_CLUSTERS:
                return Missing(f"{arm}: {n} clusters have questions {what} evidence in the prompt, at least {FEWEST_CLUSTERS} are needed")
        hit, miss = float(right[held == 1.0].mean()), float(right[held == 0.0].mean())
        share = float(held.mean())
        terms = hit - miss + held * (right - hit) / share - (1 - held) * (right - miss) / (1 - share)
        return number_of(values_of(pool, terms.tolist(), names, DIFFERENCE))

    return measure


def geometric_mean(ratios: Sequence[float]) -> Measured:
    """The geometric mean of ratios, one a world, with Student's interval of their logarithms."""
    from scipy.special import stdtrit  # takes a while to import

    if len(ratios) < 2:
        return Missing(f"measured in {len(ratios)} of at least two worlds that the interval of a ratio takes")
    logs = np.log(np.array(ratios, dtype=np.float64))
    n, centre = len(logs), float(logs.mean())
    se = float(logs.std(ddof=1)) / math.sqrt(n)
    ends = [math.exp(centre + sign * float(stdtrit(n - 1, level)) * se) for level in (0.975, 0.95) for sign in (-1, 1)]
    return Number(math.exp(centre), ends[0], ends[1], n, low_90=ends[2], high_90=ends[3])


def learning_seconds(pool: Pool) -> dict[int, float]:
    """Seconds that the first run of an arm took to learn, by the seed of its world; without those that were not measured."""
    seeds = list(dict.fromkeys(int(name.partition(".")[0]) for name in pool.rows))
    n_runs = len(pool.records) // max(1, len(seeds))
    taken = {seed: record.spends["learn"].seconds for seed, record in zip(seeds, pool.records[::n_runs], strict=True)}
    return {seed: seconds for seed, seconds in taken.items() if seconds is not None}


def training_seconds(pool: Pool) -> float | Missing:
    """Seconds of a training, the mean over the runs of an arm."""
    trained = [record.spends["learn"].seconds for record in pool.records]
    known = [seconds for seconds in trained if seconds is not None]
    return fmean(known) if len(known) == len(trained) else Missing("the seconds of a training were not measured")


def ratio_of_learning(first: str, second: str) -> Measure:
    """Seconds to learn, second / first: the geometric mean over worlds."""

    def measure(found: Results, _: str) -> Measured:
        one, other = (learning_seconds(found.arms[name]) for name in (first, second))
        return geometric_mean([other[seed] / one[seed] for seed in other if one.get(seed)])

    return measure
