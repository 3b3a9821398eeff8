"""From the runs of one or two arms to one number a question, whose mean is what a claim is about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag_eval.report.claims.pool import Pool
from rag_eval.score.primary import EM
from rag_eval.stats.estimate import SHARE, clustered_se, estimate, is_flat, judged
from rag_eval.stats.paired_tests import DIFFERENCE
from rag_eval.stats.power import mde_from_se
from rag_eval.types import Estimate

HELD = "prompt/holds_evidence"
ABSTAINS = "abstain/unanswerable"


Pools = Mapping[str, Pool]


@dataclass(frozen=True)
class Values:
    """One number a question, whose mean is what a claim is about; nan = could not be judged."""

    values: tuple[float, ...]
    names: tuple[str, ...]  # of the questions, as in Pool
    clusters: tuple[Hashable, ...]
    bounds: tuple[float, float] | None = SHARE  # what a value can be

    def only(self, names: Collection[str]) -> Values:
        """Those of the questions named."""
        kept = [at for at, name in enumerate(self.names) if name in names]
        left, clusters = tuple(self.names[at] for at in kept), tuple(self.clusters[at] for at in kept)
        return Values(tuple(self.values[at] for at in kept), left, clusters, self.bounds)


def estimate_of(values: Values, confidence: float = 0.95) -> Estimate | None:
    """Their mean with its interval, that of a share where every value is 0 or 1; None = none could be judged."""
    known = [one for one in values.values if not np.isnan(one)]
    is_binary = values.bounds == SHARE and set(known) <= {0.0, 1.0}
    return estimate(values.values, values.clusters, is_binary, values.bounds, confidence)


def mde_of(values: Values) -> float | None:
    """The minimum detectable effect of their mean; None = there is a single cluster, or no spread between clusters."""
    codes, (x,) = judged(values.clusters, values.values)
    if not len(x) or codes.max() < 1:
        return None
    se = clustered_se(x, codes)
    return None if is_flat(x, se) else mde_from_se(se, int(codes.max()))


def mean(arm: str, measure: str = EM) -> Callable[[Pools], Values]:
    """A score of an arm."""

    def of(found: Pools) -> Values:
        return values_of(found[arm], found[arm].column(measure, list(found[arm].rows)), list(found[arm].rows))

    return of


def difference(first: str, second: str, measure: str = EM) -> Callable[[Pools], Values]:
    """second - first, over the questions that both were asked."""

    def of(found: Pools) -> Values:
        a, b = found[first], found[second]
        names = [name for name in a.rows if name in b.rows]
        pairs = zip(a.column(measure, names), b.column(measure, names), strict=True)
        return values_of(a, [after - before for before, after in pairs], names, DIFFERENCE)

    return of


def values_of(pool: Pool, values: Sequence[float], names: Sequence[str], bounds: tuple[float, float] | None = SHARE) -> Values:
    """One number for each of these questions of a pool."""
    return Values(tuple(values), tuple(names), tuple(pool.clusters[name] for name in names), bounds)


def gap(first: str, second: str, only: Callable[[Pools, str], list[str]] | None = None, measure: str = EM) -> Callable[[Pools], Values]:
    """second - first over the questions of the first that count."""

    def of(found: Pools) -> Values:
        whole = difference(first, second, measure)(found)
        kept = set(only(found, first)) if only else set(whole.names)
        return whole.only(kept)

    return of
