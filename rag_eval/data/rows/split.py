"""Split of questions without own splits. By cluster, whole clusters go to one part, because questions of an article share facts."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "dev", "test", "others"]


@dataclass(frozen=True)
class Splitting:
    """Split options of a source, besides share and seed."""

    by: Literal["cluster", "question"] = "cluster"
    others_share: float | None = None  # by question: share of the clusters, in (0, 1); None = as many questions as training has
    lessons: Literal["own", "others"] = "own"  # training questions: about tested articles, or control questions about others
    train_kinds: tuple[str, ...] = ()  # by question: values of meta["kind"] for training, the others for testing; () = by share


def by_cluster(clusters: Collection[str], train_share: float, seed: int) -> dict[str, Split]:
    """Assign each cluster to a part.

    Args:
        clusters: names; duplicates and order do not matter.
        train_share: share of the clusters for training, in [0, 1). If above 0 and there are two clusters, at least one is for
            training and one for testing; a tenth of the training clusters, at least one of two, is dev.
        seed: seed of the split.

    Returns:
        Part by cluster name.
    """
    names = sorted(set(clusters))
    random.Random(f"split/{seed}").shuffle(names)
    n_train = max(1, round(train_share * len(names))) if train_share > 0 else 0
    n_train = min(n_train, len(names) - 1)
    n_dev = max(1, round(n_train / 10)) if n_train > 1 else 0
    return {name: "dev" if at < n_dev else "train" if at < n_train else "test" for at, name in enumerate(names)}
