"""By how much one arm's values lie above the other's, when a few of them are far out, as latencies are."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from rag_eval.score.estimate import clustered_se, judged
from rag_eval.score.interval import Interval


def shift(a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.95) -> Interval | None:
    """The Hodges-Lehmann shift (1963) of b over a: the median of the means of every two differences b - a.

    The interval is between two quantiles of those means, as of Wilcoxon's signed-rank test, but with a clustered
    standard error of that test's statistic (Rosner, Glynn and Lee 2006, for clusters of any size) and Student's t with
    G - 1 degrees of freedom. It supposes that differences lie evenly around the shift. Memory is 4 n^2 bytes.

    Args:
        a: one value a question, in any unit; nan = not measured.
        b: of the same questions.
        clusters: the cluster of each question.
        confidence: of the interval.

    Returns:
        None when no question was measured in both. An end is infinite where clusters are too few to limit it.

    Raises:
        ValueError: if lengths differ or a value is infinite.
    """
    codes, (before, after) = judged(clusters, a, b)
    differences = after - before
    if not len(differences):
        return None
    first, second = np.triu_indices(len(differences))
    means = (differences[first] + differences[second]) / 2
    value = float(np.median(means))
    n_clusters = int(codes.max()) + 1
    half = float(stdtrit(n_clusters - 1, (1 + confidence) / 2)) * 2 * clustered_se(_share_above(differences, value), codes)
    low, high = np.quantile(means, (0.5 - half, 0.5 + half)) if half < 0.5 else (-math.inf, math.inf)
    return Interval(value, float(low), float(high), len(differences), n_clusters)


def _share_above(differences: NDArray[np.float64], value: float) -> NDArray[np.float64]:
    """float64 (n,): of each difference, the share of its means with all others that lie above a value, ties half."""
    ordered = np.sort(differences)
    others = 2 * value - differences
    return 1 - (np.searchsorted(ordered, others, "left") + np.searchsorted(ordered, others, "right")) / (2 * len(ordered))
