"""The decomposition's identities are exact, for every arm, pair and resample."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from rag_eval.stats.bootstrap import cluster_counts, cluster_weights
from rag_eval.stats.decomposition import Column, Parts, flipped, kitagawa, parts, resampled

RNG = np.random.default_rng(0)


def arm(n: int, p_hit: float, a_hit: float, a_miss: float) -> tuple[np.ndarray, np.ndarray]:
    hit = (RNG.random(n) < p_hit).astype(float)
    return (RNG.random(n) < np.where(hit == 1, a_hit, a_miss)).astype(float), hit


def rebuilt(found: Parts) -> Column:
    """acc from the three other terms; the term of an empty stratum is 0."""
    hit, miss = 1 - found.w_hit, 1 - found.w_miss
    return np.asarray(found.h * np.where(found.h > 0, hit, 0.0) + (1 - found.h) * np.where(found.h < 1, miss, 0.0))


def test_four_questions_by_hand() -> None:
    found = parts(np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 1.0, 1.0, 0.0]))
    assert (found.acc, found.h, found.w_hit, found.w_miss) == (0.5, 0.75, pytest.approx(1 / 3), 1.0)


@pytest.mark.parametrize("shape", [(0.8, 0.9, 0.1), (1.0, 0.7, 0.0), (0.0, 0.5, 0.3), (0.5, 1.0, 0.0)])
def test_identity_of_one_arm_also_where_a_stratum_is_empty(shape: tuple[float, float, float]) -> None:
    for _ in range(50):
        found = parts(*arm(37, *shape))
        assert abs(found.acc - rebuilt(found)) <= 1e-12


def test_identity_holds_for_partial_scores_and_in_every_resample() -> None:
    right, hit = RNG.random(40), (RNG.random(40) < 0.5).astype(float)
    codes, weights = np.arange(40) // 4, RNG.multinomial(10, [0.1] * 10, size=200).astype(float)
    found = parts(right, hit, resampled(codes, weights))
    assert found.acc.shape == (200,)
    assert found.acc[0] == pytest.approx(np.repeat(right, weights[0][codes].astype(int)).mean())
    assert np.abs(found.acc - rebuilt(found)).max() <= 1e-12


def test_resampled_sums_are_exact_in_less_than_half_the_memory_of_their_weights() -> None:
    column, codes = RNG.random(1_000), np.arange(1_000)
    weights = cluster_weights(1_000, 10_000, seed=0)
    tracemalloc.start()
    found = resampled(codes, cluster_counts(1_000, 10_000, seed=0))(column)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found == weights @ column).all()
    assert peak < weights.nbytes / 2


@pytest.mark.parametrize("one", [(0.8, 0.9, 0.1), (0.0, 0.5, 0.3), (1.0, 0.9, 0.0)])
@pytest.mark.parametrize("other", [(0.4, 0.7, 0.2), (0.0, 0.5, 0.05), (1.0, 0.6, 0.0)])
def test_identity_of_the_split_between_two_arms(one: tuple[float, float, float], other: tuple[float, float, float]) -> None:
    for _ in range(20):
        a, b = parts(*arm(60, *one)), parts(*arm(60, *other))
        split = kitagawa(a, b)
        assert abs(split.retrieval + split.reading + split.fallback - (b.acc - a.acc)) <= 1e-12


def test_against_an_arm_without_context_all_of_the_gain_is_retrieval_or_fallback() -> None:
    closed_book = parts(np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(4))
    rag = parts(np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0]))
    split = kitagawa(closed_book, rag)
    assert split.reading == 0.0
    assert split.retrieval == pytest.approx(0.5 * (1 - (0.25 + 0.5) / 2))
    assert split.fallback == pytest.approx(0.75 * (0.5 - 0.25))


def test_a_better_reader_of_the_same_passages_gains_by_reading_alone() -> None:
    hit = np.array([1.0, 1.0, 1.0, 0.0])
    split = kitagawa(parts(np.array([1.0, 0.0, 0.0, 0.0]), hit), parts(np.array([1.0, 1.0, 1.0, 0.0]), hit))
    assert (split.retrieval, split.reading, split.fallback) == (0.0, pytest.approx(0.5), 0.0)


def test_identity_of_rescue_and_harm() -> None:
    for _ in range(50):
        a, _ = arm(30, 1.0, RNG.random(), 0.0)
        b, _ = arm(30, 1.0, RNG.random(), 0.0)
        rescue, harm = (np.nansum(column) / max(1, (~np.isnan(column)).sum()) for column in flipped(a, b))
        gain = rescue * (1 - a.mean()) - harm * a.mean()
        assert abs(gain - (b.mean() - a.mean())) <= 1e-12


def test_rescue_of_an_arm_that_is_never_wrong_is_not_a_zero() -> None:
    rescue, harm = flipped(np.ones(3), np.array([1.0, 0.0, 1.0]))
    assert np.isnan(rescue).all()
    assert harm.mean() == pytest.approx(1 / 3)


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="same questions"):
        parts(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="0 or 1"):
        parts(np.ones(2), np.array([0.5, 1.0]))
    with pytest.raises(ValueError, match="outside"):
        parts(np.array([np.nan, 1.0]), np.ones(2))


def test_a_share_of_nothing_is_nan_and_counts_as_nothing() -> None:
    found = parts(np.array([1.0, 0.0]), np.ones(2))
    assert np.isnan(found.w_miss)
    assert rebuilt(found) == 0.5
