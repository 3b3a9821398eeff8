import math

import numpy as np
import pytest
from scipy.stats import norm

from rag_eval.stats.hodges_lehmann import hodges_lehmann
from rag_eval.stats.interval import Interval

# Hamilton depression scale of nine patients before and after a tranquilizer (Hollander and Wolfe 1973, table 3.1)
BEFORE = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
AFTER = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)


def test_shift_of_the_depression_scale_is_the_published_one() -> None:
    found = hodges_lehmann(BEFORE, AFTER, range(9))
    assert found is not None
    assert found.value == pytest.approx(-0.46)
    # the exact interval, -0.786 to -0.010, knows that the pairs are independent and as likely above as below the shift
    assert -1.0 < found.low < -0.786 < -0.010 < found.high < 0.2


def test_interval_of_many_independent_pairs_is_wilcoxons() -> None:
    n = 300
    differences = np.random.default_rng(0).standard_t(3, size=n) + 1
    means = np.sort([(first + second) / 2 for at, first in enumerate(differences) for second in differences[: at + 1]])
    cut = n * (n + 1) / 4 - norm.ppf(0.975) * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    found = hodges_lehmann([0.0] * n, differences.tolist(), range(n))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((means[int(cut)], means[-int(cut) - 1]), abs=0.01)


def test_pairs_that_repeat_within_a_cluster_know_no_more_than_one_each() -> None:
    x = np.random.default_rng(0).normal(size=40)
    once = hodges_lehmann([0.0] * 40, x.tolist(), range(40))
    thrice = hodges_lehmann([0.0] * 120, np.tile(x, 3).tolist(), [at % 40 for at in range(120)])
    assert once is not None
    assert thrice is not None
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=0.05)


def test_less_confidence_is_a_narrower_interval() -> None:
    x = np.random.default_rng(0).normal(size=200)
    wide, narrow = (hodges_lehmann([0.0] * 200, x.tolist(), range(200), confidence) for confidence in (0.95, 0.80))
    assert wide is not None
    assert narrow is not None
    ratio = norm.ppf(0.90) / norm.ppf(0.975)
    assert narrow.high - narrow.low == pytest.approx(ratio * (wide.high - wide.low), rel=0.05)


def test_one_value_far_out_does_not_move_the_shift() -> None:
    x = np.arange(-10.0, 11.0)
    found, far_out = (hodges_lehmann([0.0] * 21, [*x[:-1], last], range(21)) for last in (10.0, 1e6))
    assert found is not None
    assert far_out is not None
    assert found.value == 0
    assert found.low == pytest.approx(-found.high)
    assert far_out == Interval(pytest.approx(0, abs=0.3), pytest.approx(found.low, abs=0.5), pytest.approx(found.high, abs=0.5), 21, 21)


def test_shift_is_of_pairs_measured_twice_and_open_where_clusters_are_too_few() -> None:
    assert hodges_lehmann([1.0, math.nan, 2.0], [2.0, 3.0, 3.5], ["a", "b", "a"]) == Interval(1.25, -math.inf, math.inf, 2, 1)
    assert hodges_lehmann([1.0, 2.0], [2.0, 4.0], ["a", "b"]) == Interval(1.5, -math.inf, math.inf, 2, 2)
    assert hodges_lehmann([math.nan], [1.0], ["a"]) is None
