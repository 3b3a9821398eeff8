"""Whether scores rise with a number that arms differ in: the best rising line through their means, and how often chance does as well.

The statistic is the share of the variation between arms that a rising line explains, times that variation: the sum of squares between
arms of the isotonic fit (Barlow et al. 1972, "Statistical Inference under Order Restrictions"). Where nothing depends on the arm, the
scores of an entity's questions could have come in any order, so the reference distribution is that of arms shuffled within entities.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_SHUFFLES = 10_000


@dataclass(frozen=True)
class Isotonic:
    """The fit and its test."""

    fitted: tuple[float, ...]  # of each arm, never falling
    explained: float  # share of the variation between arms, 1 = they rise without exception; nan = they are all alike
    p: float  # one-sided: chance of so good a fit where nothing depends on the arm


def isotonic(scores: NDArray[np.float64], clusters: Sequence[Hashable], seed: int = 0) -> Isotonic:
    """Test whether mean scores rise from arm to arm.

    Args:
        scores: float64 (arms, questions), arms in the order in which they should rise, no nan.
        clusters: cluster of each question, such as its entity; its scores are permuted together between the arms.
        seed: seed of the permutations.

    Returns:
        The fit, and the p-value of the permutation test.

    Raises:
        ValueError: if there are fewer than two arms, no question, or nan.
    """
    if len(scores) < 2 or scores.shape[1] == 0 or np.isnan(scores).any():
        raise ValueError(f"expected at least two arms and one question without nan, found {scores.shape}")
    names = {cluster: at for at, cluster in enumerate(dict.fromkeys(clusters))}
    codes = np.array([names[cluster] for cluster in clusters])
    sums = np.zeros((len(names), len(scores)))
    np.add.at(sums, codes, scores.T)  # (clusters, arms): totals over the questions of a cluster
    n = scores.shape[1]
    means = sums.sum(axis=0) / n
    fitted = _rising(means)
    rng = np.random.default_rng(seed)
    shuffled = np.array([rng.permuted(sums, axis=1).sum(axis=0) for _ in range(N_SHUFFLES)]) / n
    found = float(_between(fitted))
    as_good = int((_between(_rising(shuffled)) >= found - 1e-12).sum())
    between = float(_between(means))
    return Isotonic(tuple(fitted.tolist()), found / between if between > 0 else float("nan"), (1 + as_good) / (1 + N_SHUFFLES))


def _rising(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Isotonic fit of each row by the max-min formula: at k, the largest over i <= k of the smallest mean of arms i to j, over j >= k.

    Args:
        means: float64 (..., arms).

    Returns:
        float64 (..., arms).
    """
    arms = np.arange(means.shape[-1])
    sizes = arms - arms[:, None] + 1  # [i, j]: arms from i to j; below 1 where j comes before i
    totals = np.concatenate([np.zeros_like(means[..., :1]), means.cumsum(axis=-1)], axis=-1)
    blocks = np.where(sizes > 0, (totals[..., None, 1:] - totals[..., :-1, None]) / np.maximum(sizes, 1), np.inf)
    smallest = np.minimum.accumulate(blocks[..., ::-1], axis=-1)[..., ::-1]
    found: NDArray[np.float64] = np.where(sizes > 0, smallest, -np.inf).max(axis=-2)
    return found


def _between(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of squares between the arms of each row (..., arms)."""
    found: NDArray[np.float64] = ((means - means.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return found
