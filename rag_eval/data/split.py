"""How questions without splits of their own are divided. By cluster, whole ones go to one part: questions of an article share facts."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "dev", "test", "others"]


@dataclass(frozen=True)
class Splitting:
    """What a source may say of it beside a share and a seed."""

    by: Literal["cluster", "question"] = "cluster"
    others_share: float | None = None  # by question: of the clusters, in (0, 1); None = as many questions as there are for training
    lessons: Literal["own", "others"] = "own"  # whose questions are trained on
    train_kinds: tuple[str, ...] = ()  # by question: values of meta["kind"] that train while the others test; () = a share trains


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
