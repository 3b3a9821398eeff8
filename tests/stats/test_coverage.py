"""Do intervals hold their level? Each test draws 2,000 data sets of 50 clusters of 1 to 5 correlated questions.

The share of 2,000 intervals of 95 % that hold the truth has a standard error of 0.5 %. Where a bound of 93 % stands
alone the method is known to hold more than it says.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from rag_eval.stats.bootstrap import bootstrap_means, bootstrap_t_interval, cluster_weights, expanded, percentile_interval
from rag_eval.stats.estimate import clustered_se, estimate
from rag_eval.stats.hodges_lehmann import hodges_lehmann
from rag_eval.stats.paired_tests import mcnemar, paired_difference, permutation_p, tost_paired, wilson
from rag_eval.stats.percentile import block_percentile, percentile
from rag_eval.stats.power import mde_from_se
from rag_eval.stats.ratio import ratio_of_means, ratio_of_percentiles
from rag_eval.stats.seeds_and_questions import two_level, two_level_difference
from rag_eval.stats.verdict import Bounded

pytestmark = pytest.mark.flow  # simulations take most of a minute

N, G = 2_000, 50
CODES = np.repeat(np.arange(G), 1 + np.arange(G) % 5)
CLUSTERS = CODES.tolist()
n = len(CODES)


def share_held(truth: float, intervals: list[Bounded | None]) -> float:
    assert len(intervals) == N
    return sum(found is not None and found.low <= truth <= found.high for found in intervals) / N


def right(rng: np.random.Generator, rate: float, rows: int = N, codes: np.ndarray = CODES) -> np.ndarray:
    """0/1 (rows, n) with this rate and a correlation of 1 / 3 within a cluster."""
    chance = rng.beta(2 * rate, 2 * (1 - rate), size=(rows, codes.max() + 1))
    return (rng.random((rows, len(codes))) < chance[:, codes]).astype(np.float64)


def normal(rng: np.random.Generator, rows: int = N) -> np.ndarray:
    """Mean 0 (rows, n), half of the variance between clusters."""
    return rng.normal(size=(rows, G))[:, CODES] + rng.normal(size=(rows, n))


def latencies(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two arms (N, n) in seconds on the same questions, long-tailed, the first twice as slow."""
    shared = 0.2 * normal(rng)
    return 2 * np.exp(shared + 0.2 * normal(rng)), np.exp(shared + 0.2 * normal(rng))


@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_coverage_of_shares(rate: float) -> None:
    found = [estimate(x, CLUSTERS, binary=True) for x in right(np.random.default_rng(1), rate)]
    assert 0.93 <= share_held(rate, found) <= 0.97


def test_coverage_of_means() -> None:
    found = [estimate(x, CLUSTERS, binary=False, bounds=None) for x in normal(np.random.default_rng(1))]
    assert 0.93 <= share_held(0, found) <= 0.97


def test_coverage_of_paired_differences() -> None:
    rng = np.random.default_rng(1)
    a = right(rng, 0.5)
    b = np.where(rng.random((N, n)) < 0.6, a, right(rng, 0.7))  # most answers are the same in both arms
    found = [paired_difference(before, after, CLUSTERS) for before, after in zip(a, b, strict=True)]
    assert 0.93 <= share_held(0.4 * 0.2, found) <= 0.97


@pytest.mark.parametrize(("draw", "truth"), [(normal, 0.0), (lambda rng: right(rng, 0.3), 0.3)], ids=["means", "shares"])
@pytest.mark.parametrize("level", [0.95, expanded(0.95, G)])
def test_coverage_of_percentile_bootstrap(draw: Callable[[np.random.Generator], np.ndarray], truth: float, level: float) -> None:
    data = draw(np.random.default_rng(1)).T  # a data set is a column: all see the same draws
    low, high = percentile_interval(bootstrap_means(data, CODES, cluster_weights(G, 1_000, seed=0)), level)
    assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.97


@pytest.mark.parametrize("n_clusters", [12, 50])
def test_coverage_of_bootstrap_t(n_clusters: int) -> None:
    few = n_clusters > CODES
    data = normal(np.random.default_rng(1))[:, few]
    ends = [bootstrap_t_interval(x, CODES[few], seed, n_resamples=499) for seed, x in enumerate(data)]
    assert 0.93 <= np.mean([low <= 0 <= high for low, high in ends]) <= 0.97


@pytest.mark.parametrize("between_seeds", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("n_seeds", [3, 5])
def test_coverage_of_recipes(n_seeds: int, between_seeds: float) -> None:
    rng = np.random.default_rng(2)
    found = []
    for questions, own in zip(normal(rng), normal(rng, N * n_seeds).reshape(N, n_seeds, n), strict=True):
        both = two_level(between_seeds * rng.normal(size=(n_seeds, 1)) + questions + 0.5 * own, CODES, bounds=None)
        assert both is not None
        found.append(both.recipe)
    assert 0.93 <= share_held(0, found) <= 0.97


def test_coverage_of_recipes_that_answer_right_or_wrong() -> None:
    rng = np.random.default_rng(1)
    found = []
    for questions in normal(rng):
        able = 0.3 * rng.normal(size=(5, 1)) + questions + rng.normal(size=(5, n))
        both = two_level((able > 0).astype(np.float64), CODES)
        assert both is not None
        found.append(both.recipe)
    assert 0.93 <= share_held(0.5, found) <= 0.97


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_coverage_of_a_recipe_against_another_arm(n_fixed: int) -> None:
    rng = np.random.default_rng(1)
    found = []
    for questions, a, b in zip(normal(rng), normal(rng, N * 5).reshape(N, 5, n), normal(rng, N * 5).reshape(N, 5, n), strict=True):
        first = questions + (a[:1] if n_fixed else a + 0.5 * rng.normal(size=(5, 1)))
        both = two_level_difference(first, questions + b + 0.5 * rng.normal(size=(5, 1)), CODES, a_is_fixed=n_fixed == 1, bounds=None)
        assert both is not None
        found.append(both.recipe)
    assert 0.93 <= share_held(0, found) <= 0.97


def test_coverage_of_this_adapter_is_of_questions_only() -> None:
    rng = np.random.default_rng(1)
    seeds = np.array([[-1.0], [0.0], [2.0]])  # these three, whatever questions come
    found = []
    for questions in normal(rng):
        both = two_level(seeds + questions, CODES, bounds=None)
        assert both is not None
        found.append(both.adapter)
    assert 0.93 <= share_held(1 / 3, found) <= 0.97


def test_coverage_of_fiellers_ratio() -> None:
    found = [ratio_of_means(y, x, CLUSTERS) for y, x in zip(*latencies(np.random.default_rng(1)), strict=True)]
    assert 0.93 <= share_held(2, found) <= 0.97


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_coverage_of_a_ratio_of_percentiles(q: float) -> None:
    data = zip(*latencies(np.random.default_rng(1)), strict=True)
    found = [ratio_of_percentiles(y, x, CLUSTERS, q, seed, n_resamples=299) for seed, (y, x) in enumerate(data)]
    assert 0.93 <= share_held(2, found) <= 0.97


def test_coverage_of_hodges_lehmann() -> None:
    rng = np.random.default_rng(1)
    differences = rng.standard_t(3, size=(N, G))[:, CODES] + rng.standard_t(3, size=(N, n)) + 1
    found = [hodges_lehmann(np.zeros(n), x, CLUSTERS) for x in differences]
    assert 0.93 <= share_held(1, found) <= 0.97


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_coverage_of_percentiles_of_blocks_of_latencies_that_remember_the_last(q: float) -> None:
    rng = np.random.default_rng(1)
    blocks = np.repeat(np.arange(G), 20).tolist()
    spread = np.sqrt(1 / (1 - 0.5**2) + 0.5**2)  # each is half the one before plus news, plus the state of its block
    found = []
    for news in rng.normal(size=(N, G, 60)):
        x = lfilter([1], [1, -0.5], news, axis=1)[:, 40:] + 0.5 * rng.normal(size=(G, 1))
        found.append(block_percentile(x.ravel(), blocks, q))
    assert 0.93 <= share_held(spread * norm.ppf(q), found) <= 0.97


@pytest.mark.parametrize(("size", "q"), [(59, 0.95), (20, 0.5), (200, 0.95)])
def test_coverage_of_percentiles_of_independent_values(size: int, q: float) -> None:
    found = [percentile(x, q) for x in np.random.default_rng(1).exponential(size=(N, size))]
    assert share_held(-np.log(1 - q), found) >= 0.94


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_coverage_of_wilson(rate: float) -> None:
    ends = [wilson(int(k), 50) for k in np.random.default_rng(1).binomial(50, rate, size=N)]
    assert np.mean([low <= rate <= high for low, high in ends]) >= 0.93


def test_coverage_of_mcnemar_is_the_level_of_its_test_where_questions_are_independent() -> None:
    rng = np.random.default_rng(1)
    pairs = (rng.random((N, 2, 100)) < 0.6).astype(np.float64)
    assert np.mean([mcnemar(a, b).p < 0.05 for a, b in pairs]) <= 0.05 + 0.01


def test_coverage_of_sign_flips_is_the_level_of_their_test() -> None:
    few = CODES < 9
    data = normal(np.random.default_rng(1))[:, few]
    p = [permutation_p(x, CODES[few].tolist(), seed=0) for x in data]
    assert 0.03 <= np.mean(np.array(p) < 0.05) <= 0.06  # of 512 flips 24 have p under 5 %: 4.7 %


@pytest.mark.parametrize("side", [-1, 1])
def test_coverage_of_two_one_sided_tests_is_their_level_at_the_margin(side: int) -> None:
    rng = np.random.default_rng(1)
    found = [tost_paired(np.zeros(n), 0.1 * x + 0.05 * side, CLUSTERS, margin=0.05) for x in normal(rng)]
    assert 0.035 <= np.mean([one is not None and one.is_equivalent for one in found]) <= 0.06


def test_coverage_of_the_detectable_effect_is_the_power_to_detect_it() -> None:
    rng = np.random.default_rng(1)
    se = np.sqrt(np.mean([clustered_se(x, CODES) ** 2 for x in normal(rng)]))
    data = normal(rng) + mde_from_se(se, df=G - 1)
    found = [estimate(x, CLUSTERS, binary=False, bounds=None) for x in data]
    assert np.mean([one is not None and one.low > 0 for one in found]) == pytest.approx(0.80, abs=0.03)
