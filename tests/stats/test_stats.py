import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_rel
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from rag_eval.stats.paired_tests import (
    Discordance,
    benjamini_hochberg,
    holm,
    mcnemar,
    paired_difference,
    permutation_p,
    tost,
    tost_paired,
    wilson,
)
from rag_eval.types import Estimate

NAN = math.nan
APPROVAL = np.repeat([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [794, 150, 86, 570], axis=0)  # Agresti 2002, table 10.1
MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)  # Darwin's pairs, 1/8 inch (Fisher 1935, section 17)
BENJAMINI_HOCHBERG_1995 = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)


def test_paired_difference_of_independent_questions_is_the_paired_t_interval_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=30)
    b = a + rng.normal(0.5, 1, size=30)
    expected = ttest_rel(b, a).confidence_interval()
    found = paired_difference(a.tolist(), b.tolist(), range(30), bounds=None)
    assert found == Estimate(pytest.approx((b - a).mean()), pytest.approx(expected.low), pytest.approx(expected.high), 30, 30)


def test_paired_difference_of_clustered_questions_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 12
    a, b = rng.random(60), np.clip(rng.random(60) + rng.normal(0, 0.3, 12)[codes], 0, 1)
    fit = sm.OLS(b - a, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    found = paired_difference(a.tolist(), b.tolist(), codes.tolist())
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]))


def test_only_questions_judged_in_both_arms_are_compared() -> None:
    found = paired_difference([0.0, NAN, 1.0, 0.0], [1.0, 1.0, NAN, 0.0], ["a", "b", "c", "d"])
    assert found is not None
    assert (found.mean, found.n, found.n_clusters) == (0.5, 2, 2)
    assert paired_difference([NAN], [1.0], ["a"]) is None


def test_arms_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"2 questions have a cluster but \[2, 1\] have values"):
        paired_difference([1.0, 0.0], [1.0], ["a", "b"])


def test_mcnemar_of_the_approval_of_the_prime_minister() -> None:
    before, after = APPROVAL.T
    found = mcnemar(before.tolist(), after.tolist())
    assert (found.n_only_a, found.n_only_b) == (150, 86)
    assert found.p == pytest.approx(statsmodels_mcnemar([[794, 150], [86, 570]], exact=True).pvalue)
    assert found.p == pytest.approx(3.7e-5, rel=0.01)


def test_mcnemar_by_hand() -> None:
    # 1 of 5 discordant pairs: 2 (1 + 5) / 32; the question that one arm could not answer is left out
    assert mcnemar([0, 0, 0, 0, 1, 1, NAN], [1, 1, 1, 1, 0, 1, 1]) == Discordance(1, 4, pytest.approx(0.375))
    assert mcnemar([1, 0], [1, 0]) == Discordance(0, 0, 1.0)


def test_mcnemar_is_of_right_and_wrong_only() -> None:
    with pytest.raises(ValueError, match="0/1"):
        mcnemar([0.5], [1.0])


def test_sign_flips_of_darwins_maize_are_those_that_fisher_counted() -> None:
    assert permutation_p(MAIZE, range(15), seed=0) == 2 * 863 / 2**15


def test_a_clusters_questions_flip_together() -> None:
    assert permutation_p([1, 1, 1], ["a", "b", "c"], seed=0) == 0.25  # 2 of 8
    assert permutation_p([1, 1, 1], ["a", "a", "b"], seed=0) == 0.5  # 2 of 4
    assert permutation_p([1, 1, NAN, 1], ["a", "b", "b", "c"], seed=0) == 0.25


def test_random_flips_come_near_all_flips_and_depend_on_the_seed() -> None:
    x = np.random.default_rng(0).normal(0.4, 1, size=16)
    signs = 1 - 2 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1)
    exact = float((np.abs(signs @ x) >= abs(x.sum()) - 1e-9).mean())
    found = [permutation_p(x.tolist(), range(16), seed) for seed in (0, 0, 1)]
    assert found == pytest.approx([exact] * 3, abs=4 * math.sqrt(exact / 9_999))
    assert found[0] == found[1] != found[2]


def test_one_cluster_has_no_signs_to_flip() -> None:
    with pytest.raises(ValueError, match="at least 2 clusters"):
        permutation_p([1.0, 2.0], ["a", "a"], seed=0)


def test_holm_by_hand() -> None:
    # in order: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.04 no less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_of_fifteen_endpoints_benjamini_and_hochberg_find_four_and_holm_three() -> None:
    found = benjamini_hochberg(BENJAMINI_HOCHBERG_1995)
    assert found[:6] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.0298 * 15 / 7])
    assert [q < 0.05 for q in found] == [True] * 4 + [False] * 11
    assert [p < 0.05 for p in holm(BENJAMINI_HOCHBERG_1995)] == [True] * 3 + [False] * 12


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_is_no_p_value_is_not_adjusted(adjust) -> None:
    assert adjust([]) == []
    for p in ([0.5, NAN], [1.5], [-0.1]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            adjust(p)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("margin", "is_equivalent"), [(0.2, False), (0.24, False), (0.26, True), (0.5, True)])
def test_tost_is_that_of_statsmodels(margin: float, is_equivalent: bool, sign: int) -> None:
    x = sign * np.random.default_rng(0).normal(0.1, 1, size=40)
    p, _, _ = DescrStatsW(x).ttost_mean(-margin, margin)
    low, high = DescrStatsW(x).tconfint_mean(alpha=0.10)
    found = tost(x.mean(), x.std(ddof=1) / math.sqrt(40), 39, margin)
    assert (found.p, found.low, found.high) == pytest.approx((p, low, high))
    assert found.is_equivalent == (-margin < low and high < margin) == is_equivalent
    paired = tost_paired([0.0] * 40, x.tolist(), range(40), margin, bounds=None)
    assert paired is not None
    assert (paired.p, paired.low, paired.high, paired.is_equivalent) == pytest.approx((p, low, high, is_equivalent))


def test_tost_needs_a_margin_and_a_spread() -> None:
    for mean, se, df, margin in ((0, 1, 9, 0), (0, 1, 9, NAN), (0, 0, 9, 1), (0, 1, 0, 1)):
        with pytest.raises(ValueError, match="margin > 0, se > 0, df >= 1"):
            tost(mean, se, df, margin)


def test_equal_scores_are_equivalent_only_with_enough_questions() -> None:
    few, many = (tost_paired([1.0] * n, [1.0] * n, range(n), margin=0.02) for n in (50, 500))
    assert few is not None
    assert many is not None
    # the upper limit for 0 in n, 1.677^2 / (n + 1.677^2), is 0.053 and 0.0054
    assert (few.high, many.high) == pytest.approx((0.0532, 0.0054), abs=1e-4)
    assert not few.is_equivalent
    assert many.is_equivalent
    assert many.p < 0.05 < few.p


def test_equivalence_of_one_cluster_or_none() -> None:
    one = tost_paired([1.0, 0.0], [1.0, 0.0], ["a", "a"], margin=0.5)
    assert one is not None
    assert (one.p, one.low, one.high, one.is_equivalent) == (1.0, -1.0, 1.0, False)
    assert tost_paired([1.0, 0.0], [1.0, 0.0], ["a", "a"], margin=0.5, bounds=None) is None
    assert tost_paired([NAN], [1.0], ["a"], margin=0.5) is None


@pytest.mark.parametrize(
    ("k", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
)
def test_wilsons_intervals_are_those_that_newcombe_printed(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)  # Newcombe 1998, table I, method 3


def test_wilsons_interval_of_another_confidence() -> None:
    assert wilson(7, 20, confidence=0.9) == pytest.approx(proportion_confint(7, 20, alpha=0.1, method="wilson"))
    for k, n in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="0 <= k <= n"):
            wilson(k, n)
