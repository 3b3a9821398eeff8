import math

import numpy as np
import pytest
from scipy.stats import binom, quantile_test, t

from rag_eval.stats.interval import Interval
from rag_eval.stats.percentile import block_percentile, fewest, percentile, ranks
from tests.claims import every


@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 1, 6), (7, 1, 7), (8, 1, 8), (9, 2, 8), (10, 2, 9), (15, 4, 12), (20, 6, 15), (30, 10, 21), (50, 18, 33)]
)
def test_ranks_of_the_median_are_the_tabulated_ones(n: int, low: int, high: int) -> None:
    assert ranks(n, 0.5) == (low, high)  # Campbell and Gardner 1988, table of ranks for medians


def test_median_of_twenty_lies_between_the_sixth_and_the_fifteenth() -> None:
    values = [float(at) for at in range(20, 0, -1)]
    assert percentile(values, 0.5) == Interval(10.5, 6.0, 15.0, 20, 20)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99])
def test_ranks_are_those_of_scipy_where_it_has_both(q: float) -> None:
    n = 1_000
    expected = quantile_test(np.arange(1, n + 1), p=q).confidence_interval(0.95)
    assert ranks(n, q) == tuple(expected)


@pytest.mark.parametrize(("q", "n"), [(0.5, 6), (0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2_995), (0.05, 59)])
def test_a_percentile_needs_values_beyond_it(q: float, n: int) -> None:
    assert fewest(q) == n
    with pytest.raises(ValueError, match=f"needs at least {n} values for a 95 % interval, got {n - 1}"):
        percentile([1.0] * (n - 1), q)
    with pytest.raises(ValueError, match=f"needs at least {n} values"):
        block_percentile([1.0] * (n - 1), range(n - 1), q)
    assert percentile([1.0] * n, q).n == n


@pytest.mark.parametrize("q", [0.05, 0.3, 0.5, 0.95])
def test_two_ranks_leave_out_at_most_5_percent_from_the_smallest_sample_on(q: float) -> None:
    found = {n: ranks(n, q) for n in range(fewest(q), fewest(q) + 100)}
    assert min(binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q) for n, (low, high) in found.items()) >= 0.95
    assert every(ranks(n, 1 - q) == (n + 1 - high, n + 1 - low) for n, (low, high) in found.items())  # mirrored


def test_p95_of_59_values_ends_at_the_largest_one() -> None:
    # 0.95^59 = 4.85 % are left out above, so 0.15 % below
    assert ranks(59, 0.95) == (50, 59)
    assert binom.cdf(49, 59, 0.95) <= 0.05 - 0.95**59 < binom.cdf(50, 59, 0.95)


def test_percentiles_are_of_measured_values() -> None:
    with pytest.raises(ValueError, match="not finite"):
        percentile([math.nan] * 10, 0.5)
    for q in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="0 < q < 1"):
            percentile([1.0] * 10, q)


def test_blocks_of_one_give_woodruffs_interval_of_independent_values() -> None:
    values = np.arange(1.0, 102.0)
    half = t.ppf(0.975, 100) * math.sqrt(0.25 / 101)  # the share up to the median, 51 / 101, has no larger standard error
    expected = Interval(51.0, pytest.approx(1 + 100 * (0.5 - half), rel=0.01), pytest.approx(1 + 100 * (0.5 + half), rel=0.01), 101, 101)
    assert block_percentile(values.tolist(), range(101), 0.5) == expected


def test_blocks_that_share_their_state_know_less() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=20)[:, None] + 0.1 * rng.normal(size=(20, 10))).ravel()
    alone, shared = (block_percentile(values.tolist(), blocks, 0.5) for blocks in (range(200), (np.arange(200) // 10).tolist()))
    assert alone is not None
    assert shared is not None
    assert shared.value == alone.value == np.median(values)
    assert shared.high - shared.low > 2 * (alone.high - alone.low)
    narrower = block_percentile(values.tolist(), range(200), 0.5, confidence=0.80)
    assert narrower is not None
    assert alone.low < narrower.low < narrower.high < alone.high


def test_blocks_that_all_have_the_same_values_know_no_more_than_independent_ones() -> None:
    values = list(range(10)) * 20
    blocks = [at // 10 for at in range(200)]
    half = t.ppf(0.975, 19) * math.sqrt(0.25 / 200)
    low, high = np.quantile(values, (0.5 - half, 0.5 + half))
    assert block_percentile(values, blocks, 0.5) == Interval(4.5, pytest.approx(low), pytest.approx(high), 200, 20)
    assert low < 4.5 < high


def test_blocks_leave_an_end_open_that_they_cannot_limit() -> None:
    values, blocks = [float(at) for at in range(60)], [at // 6 for at in range(60)]
    found = block_percentile(values, blocks, 0.95)
    assert found is not None
    assert math.isfinite(found.low)
    assert found.high == math.inf
    assert block_percentile([1.0, math.nan, 2.0, 3.0, 4.0, 5.0, 6.0], ["a"] * 7, 0.5) == Interval(3.5, -math.inf, math.inf, 6, 1)
    assert block_percentile([math.nan], ["a"], 0.5) is None
