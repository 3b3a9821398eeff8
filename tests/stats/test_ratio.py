import math

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from rag_eval.stats.bootstrap import cluster_weights
from rag_eval.stats.estimate import estimate
from rag_eval.stats.interval import Interval
from rag_eval.stats.ratio import ratio_of_means, ratio_of_percentiles

NAN = math.nan


def pairs(n: int) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=n)
    return np.exp(shared + rng.normal(0.7, 0.5, n)).tolist(), np.exp(shared + rng.normal(0, 0.5, n)).tolist()


def test_over_a_denominator_of_ones_fieller_is_students_interval() -> None:
    half = t.ppf(0.975, 3) * math.sqrt(5 / 3 / 4)  # variance 5 / 3
    assert ratio_of_means([1.0, 2.0, 3.0, 4.0], [1.0] * 4, range(4)) == Interval(
        2.5, pytest.approx(2.5 - half), pytest.approx(2.5 + half), 4, 4
    )


def test_break_even_of_a_fixed_cost_is_it_over_the_interval_of_what_a_query_saves() -> None:
    saved = [1.0, 2.0, 3.0, 4.0]
    half = t.ppf(0.975, 3) * math.sqrt(5 / 3 / 4)  # the interval of the mean saving is 2.5 +- 2.05
    found = ratio_of_means([1_000.0] * 4, saved, range(4))
    assert found == Interval(400.0, pytest.approx(1_000 / (2.5 + half)), pytest.approx(1_000 / (2.5 - half)), 4, 4)


@pytest.mark.parametrize("confidence", [0.95, 0.90])
def test_the_ends_are_the_ratios_that_a_t_test_just_does_not_reject(confidence: float) -> None:
    y, x = pairs(25)
    found = ratio_of_means(y, x, range(25), confidence)
    assert found is not None
    for end in (found.low, found.high):
        assert ttest_1samp(np.array(y) - end * np.array(x), 0).pvalue == pytest.approx(1 - confidence)


def test_fieller_of_clustered_questions_inverts_the_clustered_interval() -> None:
    y, x = pairs(40)
    clusters = [at % 13 for at in range(40)]
    found = ratio_of_means(y, x, clusters)
    assert found is not None
    low, high = (estimate((np.array(y) - end * np.array(x)).tolist(), clusters, False, None) for end in (found.low, found.high))
    assert low is not None
    assert high is not None
    assert (low.low, high.high) == pytest.approx((0, 0), abs=1e-9)


def test_a_denominator_that_may_be_0_leaves_the_ratio_open() -> None:
    found = ratio_of_means([10.0, 11.0, 12.0], [-1.0, 1.0, 0.6], range(3))
    assert found == Interval(pytest.approx(55.0), -math.inf, math.inf, 3, 3)
    nothing = ratio_of_means([1.0, 2.0], [-1.0, 1.0], range(2))
    assert nothing is not None
    assert math.isnan(nothing.value)
    assert ratio_of_means([1.0, 2.0], [1.0, 1.0], ["a", "a"]) == Interval(1.5, -math.inf, math.inf, 2, 1)


def test_ratios_are_of_questions_measured_in_both_arms() -> None:
    y, x = pairs(20)
    assert ratio_of_means([*y, NAN, 1.0], [*x, 1.0, NAN], range(22)) == ratio_of_means(y, x, range(20))
    assert ratio_of_means([NAN], [1.0], ["a"]) is None
    assert ratio_of_percentiles([NAN], [1.0], ["a"], 0.5, seed=0) is None


@pytest.mark.parametrize("q", [0.5, 0.8])
def test_ratio_of_percentiles_is_that_of_a_loop_over_drawn_blocks(q: float) -> None:
    y, x = pairs(45)
    codes = np.repeat(np.arange(15), 3)
    ratios = []
    for counts in cluster_weights(15, 300, seed=3):
        rows = np.repeat(np.arange(45), counts[codes].astype(int))
        over, under = (np.quantile(np.array(values)[rows], q, method="averaged_inverted_cdf") for values in (y, x))
        ratios.append(over / under)
    found = ratio_of_percentiles(y, x, codes.tolist(), q, seed=3, n_resamples=300, confidence=0.90)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(ratios, (0.05, 0.95))))


def test_ratio_of_medians_is_of_the_usual_medians() -> None:
    found = ratio_of_percentiles([2.0, 4.0, 9.0, 100.0], [1.0, 3.0, 2.0, 50.0], range(4), 0.5, seed=0)
    assert found is not None
    assert found.value == 6.5 / 2.5


def test_ratios_that_cannot_be_drawn_again_are_refused() -> None:
    for y, clusters in (([0.0, 1.0], ["a", "b"]), ([1.0, 1.0], ["a", "a"])):
        with pytest.raises(ValueError, match="above 0 of at least 2 clusters"):
            ratio_of_percentiles(y, [1.0, 1.0], clusters, 0.5, seed=0)
    with pytest.raises(ValueError, match="0 < q < 1"):
        ratio_of_percentiles([1.0, 1.0], [1.0, 1.0], ["a", "b"], 1.0, seed=0)
