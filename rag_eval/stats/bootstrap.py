"""Paired cluster bootstrap: whole clusters are resampled with replacement, and all arms and metrics use the same resamples.

A resample is a row of weights (how often each cluster was drawn), so that resampled means are matrix products.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from rag_eval.stats.estimate import clustered_se, is_flat

_BLOCK = 250  # resamples counted at a time, so that a block fits the processor's cache


def cluster_weights(n_clusters: int, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Number of times each cluster is drawn in each bootstrap resample.

    Args:
        n_clusters: number of clusters, at least 1.
        n_resamples: number of resamples, at least 1.
        seed: seed of the generator.

    Returns:
        float64 (n_resamples, n_clusters), whole numbers; each row sums to n_clusters.

    Raises:
        ValueError: if one of the numbers is below 1.
    """
    return cluster_counts(n_clusters, n_resamples, seed).astype(np.float64)


def cluster_counts(n_clusters: int, n_resamples: int, seed: int) -> NDArray[np.uint16]:
    """The same numbers in a quarter of the memory, for many clusters.

    Args:
        n_clusters: number of clusters, at least 1.
        n_resamples: number of resamples, at least 1.
        seed: seed of the generator.

    Returns:
        uint16 (n_resamples, n_clusters).

    Raises:
        ValueError: if one of the numbers is below 1.
    """
    if n_clusters < 1 or n_resamples < 1:
        raise ValueError(f"expected at least 1 cluster and 1 resample, got {n_clusters} and {n_resamples}.")
    rng = np.random.default_rng(seed)
    counts = np.empty((n_resamples, n_clusters), dtype=np.uint16)
    for start in range(0, n_resamples, _BLOCK):
        rows = counts[start : start + _BLOCK]
        drawn = rng.integers(n_clusters, size=rows.shape) + n_clusters * np.arange(len(rows))[:, None]
        rows[:] = np.bincount(drawn.ravel(), minlength=rows.size).reshape(rows.shape)
    return counts


def bootstrap_means(columns: NDArray[np.float64], codes: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of every column over its judged questions, in every resample.

    Args:
        columns: float64 (n, m), one column per arm or metric; nan = not judged.
        codes: int64 (n,), the cluster of each question, numbered from 0.
        weights: float64 (n_resamples, n_clusters), from `cluster_weights`.

    Returns:
        float64 (n_resamples, m); nan where a resample contains no judged question of a column.

    Raises:
        ValueError: if shapes do not match or a code has no weight.
    """
    if columns.ndim != 2 or codes.shape != columns.shape[:1] or not 0 <= codes.min() <= codes.max() < weights.shape[1]:
        raise ValueError(f"{columns.shape} values, {codes.shape} codes up to {codes.max()} and {weights.shape} weights do not fit.")
    is_judged = ~np.isnan(columns)
    if is_judged.all():
        sizes = np.bincount(codes, minlength=weights.shape[1])[:, None]
        return (weights @ _sums(columns, codes, weights.shape[1])) / (weights @ sizes)
    with np.errstate(invalid="ignore"):  # 0 / 0 gives the documented nan
        return (weights @ _sums(np.nan_to_num(columns), codes, weights.shape[1])) / (
            weights @ _sums(is_judged.astype(np.float64), codes, weights.shape[1])
        )


def percentile_interval(samples: NDArray[np.float64], confidence: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile bootstrap interval (Efron 1979) of each column.

    Args:
        samples: float64 (n_resamples, m); nan values are ignored.
        confidence: share of the samples inside the interval; use `expanded` if there are few clusters.

    Returns:
        Two arrays float64 (m,): lower and upper limits; nan for a column without samples.
    """
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(samples, (tail, 1 - tail), axis=0)
    return low, high


def expanded(confidence: float, n_clusters: int) -> float:
    """Confidence level at which to take a percentile interval so that its coverage is right with few clusters.

    Corrects the bootstrap variance, which is too small by (G - 1) / G, and uses Student's t instead of the normal distribution
    ("expanded percentile interval", Hesterberg 2015, The American Statistician 69). With 50 clusters, 95 % becomes 95.8 %.

    Args:
        confidence: wanted coverage, between 0 and 1.
        n_clusters: G, at least 2.

    Returns:
        The adjusted level, between 0 and 1.

    Raises:
        ValueError: if there are fewer than 2 clusters.
    """
    if n_clusters < 2:
        raise ValueError(f"expected at least 2 clusters, got {n_clusters}.")
    t = float(stdtrit(n_clusters - 1, (1 + confidence) / 2))
    return float(2 * ndtr(t * math.sqrt(n_clusters / (n_clusters - 1))) - 1)


def bootstrap_t_interval(
    values: NDArray[np.float64], codes: NDArray[np.int64], seed: int, n_resamples: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Cluster bootstrap-t interval of a mean, for fewer than about 30 clusters.

    Each resample gives a t statistic with its own clustered standard error; the quantiles of these replace those of Student's t
    (Efron 1982; Cameron, Gelbach and Miller 2008). The interval may be asymmetric.

    Args:
        values: float64 (n,); nan = not judged, ignored.
        codes: int64 (n,), the cluster of each question.
        seed: seed of the resamples.
        n_resamples: number of resamples.
        confidence: level of the interval.

    Returns:
        Lower and upper limit. A limit is infinite if the share of resamples with a standard error of 0 exceeds its tail, as
        for 0/1 values that are nearly all 1; only the range of the values then bounds the mean on that side.

    Raises:
        ValueError: if fewer than 2 clusters have judged questions.
    """
    is_judged = ~np.isnan(values)
    x = values[is_judged]
    clusters, within = np.unique(codes[is_judged], return_inverse=True)
    if len(clusters) < 2:
        raise ValueError(f"expected judged questions of at least 2 clusters, got {len(clusters)}.")
    mean, se = float(x.mean()), clustered_se(x, within)
    if is_flat(x, se):
        return -math.inf, math.inf
    t = _t_values(x - mean, within, cluster_weights(len(clusters), n_resamples, seed))
    tail = (1 - confidence) / 2
    below, above = np.nanquantile(t, (tail, 1 - tail), method="inverted_cdf")
    return float(mean - above * se), float(mean - below * se)


def _t_values(deviations: NDArray[np.float64], codes: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 (n_resamples,): resampled mean deviations divided by their clustered standard errors; infinite where those are 0."""
    n_clusters = weights.shape[1]
    size, total = np.bincount(codes), np.bincount(codes, weights=deviations)
    n, sums, squares, products, sizes = (weights @ np.stack([size, total, total**2, total * size, size**2], axis=1)).T
    means = sums / n
    spread = squares - 2 * means * products + means**2 * sizes  # of the clusters' residual sums
    spread[spread <= 1e-12 * squares] = 0.0  # rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums / np.sqrt(n_clusters / (n_clusters - 1) * spread)  # type: ignore[no-any-return]


def _sums(columns: NDArray[np.float64], codes: NDArray[np.int64], n_clusters: int) -> NDArray[np.float64]:
    """float64 (n_clusters, m): sums of the columns per cluster."""
    sums = np.zeros((n_clusters, columns.shape[1]))
    np.add.at(sums, codes, columns)
    return sums
