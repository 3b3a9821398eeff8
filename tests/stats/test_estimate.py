import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import norm, t
from statsmodels.stats.proportion import proportion_confint

from rag_eval.stats.estimate import clipped, cluster_codes, clustered_se, estimate, judged
from rag_eval.types import Estimate


def test_clustered_standard_error_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    codes = np.sort(rng.permutation(np.r_[np.arange(12), rng.integers(0, 12, 88)]))
    values = rng.normal(size=12)[codes] + rng.normal(size=100)
    fit = sm.OLS(values, np.ones(100)).fit(cov_type="cluster", cov_kwds={"groups": codes})
    assert clustered_se(values, codes) == pytest.approx(fit.bse[0], rel=1e-12)
    assert clustered_se(values, codes) > 1.5 * values.std(ddof=1) / 10  # the naive one is too small here


def test_interval_of_a_mean_is_t_times_the_clustered_standard_error() -> None:
    values, clusters = [3.0, 5.0, 4.0, 9.0, 8.0, 1.0], ["a", "a", "b", "b", "c", "c"]
    # mean 5; residual sums -2, 3, -1: se = sqrt((4 + 9 + 1) * 3/2) / 6
    half = t.ppf(0.975, 2) * math.sqrt(21) / 6
    assert estimate(values, clusters, binary=False) == Estimate(5.0, pytest.approx(5 - half), pytest.approx(5 + half), 6, 3)


@pytest.mark.parametrize("n_right", [1, 7, 30, 39])
def test_interval_of_independent_answers_is_wilsons_with_the_t_quantile(n_right: int) -> None:
    found = estimate([1.0] * n_right + [0.0] * (40 - n_right), [str(at) for at in range(40)], binary=True)
    low, high = proportion_confint(n_right, 40, alpha=2 * norm.sf(t.ppf(0.975, 39)), method="wilson")
    assert found == Estimate(n_right / 40, pytest.approx(low), pytest.approx(high), 40, 40)


def test_answers_that_repeat_within_a_cluster_know_no_more_than_one_each() -> None:
    once = estimate([1.0, 0.0, 1.0, 1.0] * 5, [str(at) for at in range(20)], binary=True)
    thrice = estimate([1.0, 0.0, 1.0, 1.0] * 15, [str(at % 20) for at in range(60)], binary=True)
    assert once is not None
    assert thrice is not None
    assert (thrice.n, thrice.n_clusters) == (60, 20)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=0.005)


@pytest.mark.parametrize("binary", [True, False])
def test_all_right_is_as_sure_as_one_question_a_cluster(binary: bool) -> None:
    found = estimate([1.0] * 50, [str(at % 10) for at in range(50)], binary)
    low, _ = proportion_confint(10, 10, alpha=2 * norm.sf(t.ppf(0.975, 9)), method="wilson")
    assert found == Estimate(1.0, pytest.approx(low), 1.0, 50, 10)


def test_clusters_that_all_have_the_same_share_right_are_counted_as_one_question_each() -> None:
    found = estimate([1.0, 0.0, 0.0] * 9, [str(at // 3) for at in range(27)], binary=True)  # residuals cancel, but for rounding
    low, high = proportion_confint(3, 9, alpha=2 * norm.sf(t.ppf(0.975, 8)), method="wilson")
    assert found == Estimate(pytest.approx(1 / 3), pytest.approx(low), pytest.approx(high), 27, 9)


def test_differences_that_are_all_0_are_surer_than_any_other() -> None:
    # Wilson's upper limit for 0 of 100 clusters, as far off as a difference can be
    _, others = proportion_confint(0, 100, alpha=2 * norm.sf(t.ppf(0.975, 99)), method="wilson")
    found = estimate([0.0] * 200, [str(at % 100) for at in range(200)], binary=False, bounds=(-1.0, 1.0))
    assert found == Estimate(0.0, pytest.approx(-others), pytest.approx(others), 200, 100)
    assert others == pytest.approx(0.038, abs=0.001)


def test_interval_of_another_confidence() -> None:
    values, clusters = [3.0, 5.0, 4.0, 9.0, 8.0, 1.0], ["a", "a", "b", "b", "c", "c"]
    found = estimate(values, clusters, binary=False, confidence=0.90)
    assert found is not None
    assert found.high - 5 == pytest.approx(t.ppf(0.95, 2) * math.sqrt(21) / 6)


def test_clusters_are_numbered_as_they_appear() -> None:
    assert cluster_codes(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]
    codes, columns = judged(["b", "a", "b", "c"], [1.0, math.nan, 2.0, 3.0], [4.0, 5.0, 6.0, math.nan])
    assert codes.tolist() == [0, 0]
    assert columns.tolist() == [[1.0, 2.0], [4.0, 6.0]]


def test_a_single_cluster_tells_nothing_but_the_bounds() -> None:
    assert estimate([1.0, 0.0], ["a", "a"], binary=True) == Estimate(0.5, 0.0, 1.0, 2, 1)
    assert estimate([0.25], ["a"], binary=False) == Estimate(0.25, 0.0, 1.0, 1, 1)
    assert estimate([0.25], ["a"], binary=False, bounds=(-1.0, 1.0)) == Estimate(0.25, -1.0, 1.0, 1, 1)
    assert estimate([0.25, 0.5], ["a", "a"], binary=False, bounds=None) is None
    assert estimate([7.0], ["a"], binary=False) is None


@pytest.mark.parametrize("value", [5.0, 0.0, 0.1 + 0.2])
def test_equal_values_that_nothing_bounds_have_no_interval(value: float) -> None:
    found = estimate([value] * 40, list(range(40)), binary=False, bounds=None)
    assert found == Estimate(pytest.approx(value), pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True), 40, 40)
    assert clipped(found, 0.0, 1.0) == found


def test_only_bounded_values_are_cut_at_the_bounds() -> None:
    values, clusters = [1.0, 1.0, 0.9, 0.2], ["a", "b", "c", "d"]
    cut, free = estimate(values, clusters, binary=False), estimate(values, clusters, binary=False, bounds=None)
    assert cut is not None
    assert free is not None
    assert cut.high == 1.0 < free.high
    assert cut.low == free.low


def test_questions_that_cannot_be_judged_leave_n() -> None:
    found = estimate([1.0, math.nan, 0.0], ["a", "b", "c"], binary=True)
    assert found is not None
    assert (found.mean, found.n, found.n_clusters) == (0.5, 2, 2)


def test_not_measured_is_none_and_never_0() -> None:
    assert estimate([], [], binary=True) is None
    assert estimate([math.nan], ["a"], binary=False) is None


def test_values_that_are_no_measurement_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite"):
        estimate([math.inf, 1.0], ["a", "b"], binary=False)
    with pytest.raises(ValueError, match="binary values must be 0 or 1"):
        estimate([0.5, 1.0], ["a", "b"], binary=True)
    with pytest.raises(ValueError, match=r"2 questions have a cluster but \[1\] have values"):
        estimate([0.5], ["a", "b"], binary=False)


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_coverage_of_95_percent_intervals_with_60_correlated_clusters(rate: float) -> None:
    rng = np.random.default_rng(0)
    sizes = 1 + np.arange(60) % 5
    clusters = [str(cluster) for cluster in np.repeat(np.arange(60), sizes)]
    covered = 0
    for _ in range(2_000):
        chance = rng.beta(2 * rate, 2 * (1 - rate), size=60)  # correlation within a cluster: 1 / 3
        found = estimate((rng.random(len(clusters)) < np.repeat(chance, sizes)).astype(float).tolist(), clusters, binary=True)
        assert found is not None
        covered += found.low <= rate <= found.high
    assert 0.93 <= covered / 2_000 <= 0.97
