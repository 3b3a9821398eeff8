"""Location shift between two arms that is robust to outliers, such as in latencies."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from rag_eval.stats.estimate import clustered_se, judged
from rag_eval.stats.interval import Interval


def hodges_lehmann(a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.95) -> Interval | None:
    """Hodges-Lehmann shift (1963) of b relative to a: median of the means of all pairs of differences b - a.

    The limits are two quantiles of those means, as for Wilcoxon's signed-rank test, but with a clustered standard error of the
    test statistic (Rosner, Glynn and Lee 2006, for clusters of any size) and Student's t with G - 1 degrees of freedom. Assumes
    that the differences are distributed symmetrically around the shift. Memory is 4 n^2 bytes.

    Args:
        a: one value per question, in any unit; nan = not measured.
        b: values of the same questions.
        clusters: the cluster of each question.
        confidence: level of the interval.

    Returns:
        None if no question was measured in both. A limit is infinite if there are too few clusters to bound it.

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
    """float64 (n,): for each difference, the share of its means with all others that exceeds a value, ties counted half."""
    ordered = np.sort(differences)
    others = 2 * value - differences
    return 1 - (np.searchsorted(ordered, others, "left") + np.searchsorted(ordered, others, "right")) / (2 * len(ordered))
