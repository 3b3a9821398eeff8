"""Which questions are for training. Whole clusters go to one part, because questions of one article share facts."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Literal

Split = Literal["train", "dev", "test"]


def by_cluster(clusters: Collection[str], train_share: float, seed: int) -> dict[str, Split]:
    """The part that each cluster goes to.

    Args:
        clusters: names; repeated ones count once and their order does not matter.
        train_share: share of the clusters for training, in [0, 1). Above 0, at least one cluster is for training and
            at least one for testing where there are two; a tenth of those for training, at least one of two, is dev.
        seed: decides which.
    """
    names = sorted(set(clusters))
    random.Random(f"split/{seed}").shuffle(names)
    n_train = max(1, round(train_share * len(names))) if train_share > 0 else 0
    n_train = min(n_train, len(names) - 1)
    n_dev = max(1, round(n_train / 10)) if n_train > 1 else 0
    return {name: "dev" if at < n_dev else "train" if at < n_train else "test" for at, name in enumerate(names)}
