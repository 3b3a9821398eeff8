import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import t
from statsmodels.formula.api import ols

from rag_eval.stats.estimate import estimate
from rag_eval.stats.paired_tests import paired_difference
from rag_eval.stats.seeds_and_questions import two_level, two_level_difference

G = 20


def answers(n_seeds: int, between_seeds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return between_seeds * rng.normal(size=(n_seeds, 1)) + rng.normal(size=G) + rng.normal(size=(n_seeds, G))


def test_this_adapter_is_the_clustered_interval_of_the_questions_means_over_seeds() -> None:
    values, codes = answers(3, 0.5), np.arange(G) // 2
    found = two_level(values, codes, bounds=None)
    assert found is not None
    assert found.adapter == estimate(values.mean(axis=0).tolist(), codes.tolist(), binary=False, bounds=None)
    assert (found.recipe.mean, found.recipe.n, found.recipe.n_clusters) == (found.adapter.mean, G, G // 2)


@pytest.mark.parametrize(("between_seeds", "confidence"), [(0.5, 0.95), (0.5, 0.90), (0.0, 0.95)])
def test_this_recipe_adds_up_the_mean_squares_of_a_two_way_analysis_of_variance(between_seeds: float, confidence: float) -> None:
    values = answers(5, between_seeds)
    table = pd.DataFrame({"y": values.ravel(), "seed": np.repeat(range(5), G), "question": list(range(G)) * 5})
    squares = sm.stats.anova_lm(ols("y ~ C(seed) + C(question)", table).fit())["mean_sq"] / (5 * G)
    level = (1 + confidence) / 2
    seeds = max(0.0, squares["C(seed)"] - squares["Residual"])
    half = math.sqrt(t.ppf(level, 4) ** 2 * seeds + t.ppf(level, G - 1) ** 2 * squares["C(question)"])
    found = two_level(values, np.arange(G), bounds=None, confidence=confidence)
    assert found is not None
    assert (found.recipe.low, found.recipe.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_where_questions_do_not_differ_this_recipe_is_the_t_interval_of_the_seeds_means() -> None:
    values = np.random.default_rng(0).normal(size=(4, G))
    low, high = sm.stats.DescrStatsW(values.mean(axis=1)).tconfint_mean()
    found = two_level(values, np.arange(G), bounds=None)
    assert found is not None
    assert (found.recipe.low, found.recipe.high) == pytest.approx((low, high))


def test_where_neither_questions_nor_seeds_differ_and_nothing_bounds_them_there_is_no_interval() -> None:
    same, apart = (two_level(np.ones((3, G)) + np.array([[-step], [0.0], [step]]), np.arange(G), bounds=None) for step in (0.0, 0.5))
    assert same is not None
    assert apart is not None
    assert np.isnan([same.adapter.low, same.adapter.high, same.recipe.low, same.recipe.high, apart.adapter.low]).all()
    assert apart.recipe.high - 1.0 == pytest.approx(4.303 * 0.5 / math.sqrt(3), rel=0.001)  # of the seeds alone


def test_seeds_that_differ_widen_the_recipe_but_not_the_adapter() -> None:
    values = answers(3, 0.0)
    near, far = (two_level(values + np.array([[-step], [0.0], [step]]), np.arange(G), bounds=None) for step in (0.0, 2.0))
    assert near is not None
    assert far is not None
    assert (far.adapter.low, far.adapter.high) == pytest.approx((near.adapter.low, near.adapter.high))
    # three means about 2 apart: standard error 2 / sqrt(3), and Student's t with 2 degrees of freedom is 4.3
    assert far.recipe.high - far.recipe.mean == pytest.approx(4.303 * 2 / math.sqrt(3), rel=0.2)


def test_a_recipe_is_never_surer_than_its_adapters() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = two_level(rng.normal(size=(3, 8)), np.arange(8) // 2, bounds=None)
        assert found is not None
        assert found.recipe.low <= found.adapter.low <= found.adapter.high <= found.recipe.high


def test_scores_stay_between_their_bounds() -> None:
    scores = (np.random.default_rng(0).random((3, G)) < [[0.2], [0.6], [0.99]]).astype(float)
    found = two_level(scores, np.arange(G))
    assert found is not None
    assert (found.recipe.low, found.recipe.high) == (0.0, 1.0)
    right = two_level(np.ones((3, G)), np.arange(G))
    assert right is not None
    assert right.recipe == right.adapter == estimate([1.0] * G, range(G), binary=True)


def test_only_questions_judged_with_every_seed_count() -> None:
    values = answers(3, 0.5)
    with_holes = np.insert(values, 7, 1.0, axis=1)
    with_holes[1, 7] = math.nan
    assert two_level(with_holes, np.arange(G + 1), bounds=None) == two_level(values, np.arange(G), bounds=None)
    assert two_level(np.full((2, 3), math.nan), np.arange(3)) is None


def test_one_cluster_tells_nothing_but_the_bounds() -> None:
    found = two_level(np.array([[1.0, 0.0], [1.0, 1.0]]), np.zeros(2, dtype=np.int64))
    assert found is not None
    assert found.recipe == found.adapter
    assert (found.adapter.low, found.adapter.high) == (0.0, 1.0)


def test_one_adapter_tells_nothing_of_its_recipe() -> None:
    with pytest.raises(ValueError, match="at least 2 seeds, got 1"):
        two_level(np.ones((1, 3)), np.arange(3))
    with pytest.raises(ValueError, match="expected values"):
        two_level(np.ones((2, 3)), np.arange(4))


def test_an_arm_without_seeds_has_to_be_stated_as_fixed() -> None:
    rag, finetune = answers(1, 0.0, seed=1), answers(3, 0.5)
    with pytest.raises(ValueError, match="arm a: expected at least 2 seeds, or an arm stated to be fixed, got 1 rows"):
        two_level_difference(rag, finetune, np.arange(G))
    with pytest.raises(ValueError, match="arm b: expected 1 row of a fixed arm, got 3 rows"):
        two_level_difference(rag, finetune, np.arange(G), a_is_fixed=True, b_is_fixed=True)


def test_against_a_fixed_arm_only_the_other_arms_seeds_vary() -> None:
    rag, finetune = answers(1, 0.0, seed=1), answers(3, 0.5)
    found = two_level_difference(rag, finetune, np.arange(G), a_is_fixed=True, bounds=None)
    assert found is not None
    assert found.adapter == paired_difference(rag[0].tolist(), finetune.mean(axis=0).tolist(), range(G), bounds=None)
    less = two_level(finetune - rag, np.arange(G), bounds=None)
    assert less is not None
    assert (found.recipe.low, found.recipe.high) == pytest.approx((less.recipe.low, less.recipe.high))


def test_two_fixed_arms_leave_only_questions() -> None:
    a, b = answers(1, 0.0, seed=1), answers(1, 0.0, seed=2)
    found = two_level_difference(a, b, np.arange(G), a_is_fixed=True, b_is_fixed=True, bounds=None)
    assert found is not None
    assert found.recipe == found.adapter == paired_difference(a[0].tolist(), b[0].tolist(), range(G), bounds=None)


def test_the_seeds_of_two_arms_add_up_as_in_welchs_test() -> None:
    # all questions alike: what is left is the t-test of unequal variances on the seeds' means
    a, b = np.array([[0.1], [0.2], [0.6]]), np.array([[0.5], [0.9], [0.4], [0.8], [0.9]])
    low, high = sm.stats.CompareMeans.from_data(b[:, 0], a[:, 0]).tconfint_diff(alpha=0.10, usevar="unequal")
    found = two_level_difference(np.tile(a, 6), np.tile(b, 6), np.arange(6), bounds=None, confidence=0.90)
    assert found is not None
    assert (found.recipe.low, found.recipe.high) == pytest.approx((low, high))


def test_a_difference_of_scores_is_at_most_1() -> None:
    a, b = np.zeros((2, 6)), np.tile([[1.0], [0.4]], 6)
    found = two_level_difference(a, b, np.arange(6))
    assert found is not None
    assert (found.recipe.low, found.recipe.high) == (-1.0, 1.0)
