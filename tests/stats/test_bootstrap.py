import math

import numpy as np
import pytest
from scipy.stats import bootstrap, t

from rag_eval.stats.bootstrap import bootstrap_means, bootstrap_t_interval, cluster_weights, expanded, percentile_interval
from rag_eval.stats.estimate import clustered_se
from tests.claims import every

CODES = np.array([0, 0, 1, 2, 2, 2, 3])


def drawn_again(counts: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of questions of one resample, and a code for every copy of a cluster."""
    copies = np.repeat(np.arange(len(counts)), counts.astype(int))
    rows = [np.flatnonzero(codes == cluster) for cluster in copies]
    return np.concatenate(rows), np.repeat(np.arange(len(copies)), [len(row) for row in rows])


def test_weights_are_draws_with_replacement() -> None:
    weights = cluster_weights(20, 5_000, seed=0)
    assert weights.shape == (5_000, 20)
    assert (weights.sum(axis=1) == 20).all()
    assert (weights == weights.round()).all()
    # a count is binomial(20, 1/20): variance 0.95; two counts have covariance -1/20
    assert weights.mean(axis=0) == pytest.approx(np.ones(20), abs=0.06)
    assert np.cov(weights.T) == pytest.approx(np.eye(20) - 1 / 20, abs=0.09)


def test_a_seed_decides_the_draws() -> None:
    assert (cluster_weights(9, 300, seed=1) == cluster_weights(9, 300, seed=1)).all()
    assert (cluster_weights(9, 300, seed=1) != cluster_weights(9, 300, seed=2)).any()
    for n_clusters, n_resamples in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            cluster_weights(n_clusters, n_resamples, seed=0)


@pytest.mark.parametrize("holes", [False, True])
def test_resampled_means_are_those_of_a_loop(holes: bool) -> None:
    rng = np.random.default_rng(0)
    columns = rng.random((7, 3))
    if holes:
        columns[[0, 2, 5], [0, 0, 1]] = math.nan
    weights = cluster_weights(4, 50, seed=0)
    expected = np.stack([np.nanmean(columns[drawn_again(counts, CODES)[0]], axis=0) for counts in weights])
    assert bootstrap_means(columns, CODES, weights) == pytest.approx(expected, abs=1e-12)


def test_arms_share_the_draw_so_that_differences_are_paired() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(7), rng.random(7)
    means = bootstrap_means(np.stack([a, b, b - a], axis=1), CODES, cluster_weights(4, 100, seed=0))
    assert means[:, 1] - means[:, 0] == pytest.approx(means[:, 2], abs=1e-12)


def test_a_resample_without_judged_questions_is_left_out_of_the_interval() -> None:
    weights = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    means = bootstrap_means(np.array([[math.nan, 1.0], [0.5, 3.0]]), np.array([0, 1]), weights)
    assert means == pytest.approx(np.array([[math.nan, 1.0], [0.5, 2.0], [0.5, 3.0]]), nan_ok=True)
    low, high = percentile_interval(means)
    assert (low[0], high[0]) == (0.5, 0.5)


def test_codes_without_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        bootstrap_means(np.ones((7, 1)), CODES, cluster_weights(3, 10, seed=0))
    with pytest.raises(ValueError, match="do not fit"):
        bootstrap_means(np.ones((6, 1)), CODES, cluster_weights(4, 10, seed=0))


@pytest.mark.parametrize("confidence", [0.95, 0.80])
def test_percentile_interval_is_that_of_scipy(confidence: float) -> None:
    x = np.random.default_rng(0).exponential(size=40)
    samples = bootstrap_means(x[:, None], np.arange(40), cluster_weights(40, 20_000, seed=0))
    (low,), (high,) = percentile_interval(samples, confidence)
    rng = np.random.default_rng(1)
    found = bootstrap((x,), np.mean, n_resamples=20_000, batch=1_000, method="percentile", confidence_level=confidence, rng=rng)
    assert (low, high) == pytest.approx(tuple(found.confidence_interval), abs=0.015)


def test_expanded_level_makes_an_interval_of_few_clusters_as_wide_as_students() -> None:
    x = np.random.default_rng(0).normal(size=12)
    samples = bootstrap_means(x[:, None], np.arange(12), cluster_weights(12, 50_000, seed=0))
    narrow, wide = ((high - low)[0] / 2 for low, high in (percentile_interval(samples), percentile_interval(samples, expanded(0.95, 12))))
    students = t.ppf(0.975, 11) * x.std(ddof=1) / math.sqrt(12)
    assert wide == pytest.approx(students, rel=0.03)
    assert narrow < 0.88 * students
    with pytest.raises(ValueError, match="at least 2 clusters"):
        expanded(0.95, 1)


def test_bootstrap_t_interval_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(9), np.arange(9) % 3 + 1)
    x = rng.normal(size=len(codes))
    values = []
    for counts in cluster_weights(9, 400, seed=5):
        rows, copies = drawn_again(counts, codes)
        values.append((x[rows].mean() - x.mean()) / clustered_se(x[rows], copies))
    values.sort()
    se = clustered_se(x, codes)
    expected = x.mean() - values[379] * se, x.mean() - values[19] * se  # the 5 % and 95 % of 400
    assert bootstrap_t_interval(x, codes, seed=5, n_resamples=400, confidence=0.90) == pytest.approx(expected)


def test_bootstrap_t_interval_reaches_further_to_the_side_of_the_long_tail() -> None:
    x = np.random.default_rng(0).exponential(size=12)
    low, high = bootstrap_t_interval(x, np.arange(12), seed=0, n_resamples=2_000)
    assert high - x.mean() > 1.5 * (x.mean() - low)


def test_bootstrap_t_interval_leaves_out_what_could_not_be_judged() -> None:
    x = np.array([1.0, 3.0, 2.0, 5.0, 4.0, math.nan])
    whole = bootstrap_t_interval(x[:5], np.arange(5), seed=0, n_resamples=200)
    assert bootstrap_t_interval(x[[5, 0, 1, 2, 3, 4]], np.array([0, 2, 3, 4, 5, 7]), seed=0, n_resamples=200) == whole
    with pytest.raises(ValueError, match="at least 2 clusters, got 1"):
        bootstrap_t_interval(x[4:], np.arange(2), seed=0, n_resamples=200)


def test_an_end_is_open_where_more_draws_agree_than_its_tail_holds() -> None:
    codes = np.repeat(np.arange(7), 1 + np.arange(7) % 3)
    x = np.array([1.0] * (len(codes) - 1) + [0.0])  # only the last cluster is not all right
    agree = float(np.mean(cluster_weights(7, 500, seed=0)[:, -1] == 0))
    ends = [bootstrap_t_interval(x, codes, seed=0, n_resamples=500, confidence=1 - 2 * tail) for tail in (0.95 * agree, 1.05 * agree)]
    assert [low == -math.inf for low, _ in ends] == [True, False]
    assert every(math.isfinite(high) for _, high in ends)


def test_clusters_that_agree_say_nothing_about_an_end() -> None:
    nearly, codes = np.array([1.0] * 11 + [0.0]), np.arange(12)  # a third of the draws are all right
    low, high = bootstrap_t_interval(nearly, codes, seed=0, n_resamples=500)
    assert low == -math.inf
    assert math.isfinite(high)
    assert bootstrap_t_interval(np.ones(12), codes, seed=0, n_resamples=500) == (-math.inf, math.inf)
