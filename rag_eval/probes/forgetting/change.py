"""What two models make of the forgetting suite, and how far they are apart. Pure numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_eval.score.comparators import compare
from rag_eval.stats.estimate import clipped, estimate
from rag_eval.stats.paired_tests import paired_difference
from rag_eval.types import Estimate, Example


@dataclass(frozen=True)
class ModelReading:
    """What one model makes of it."""

    answers: tuple[str, ...]  # to the questions, in order
    nats_per_token: tuple[float, ...]  # of each passage; () = this generator tells no probabilities
    log_probs: NDArray[np.float32]  # (n_beginnings, vocabulary): natural logs, of the token that comes next; (0, 0) = likewise


def changes(before: ModelReading, after: ModelReading, asked: Sequence[Example]) -> dict[str, Estimate]:
    """The estimates under their tracked names: means over questions, passages and beginnings, differences after - before."""
    ids = [example.id for example in asked]
    read, reads = (_scores(said, asked) for said in (before, after))
    texts = range(len(before.nats_per_token))
    found = {
        "forgetting/reading_em_base": estimate(read, ids, binary=True),
        "forgetting/reading_em": estimate(reads, ids, binary=True),
        "forgetting/reading_change": paired_difference(read, reads, ids),
        "forgetting/nats_per_token_base": estimate(before.nats_per_token, texts, binary=False, bounds=None),
        "forgetting/nats_per_token_change": paired_difference(before.nats_per_token, after.nats_per_token, texts, bounds=None),
        "forgetting/kl_nats": _at_least_0(kl_nats(before.log_probs, after.log_probs)),
    }
    return {name: one for name, one in found.items() if one is not None}


def kl_nats(base: NDArray[np.float32], adapted: NDArray[np.float32]) -> NDArray[np.float64]:
    """KL(base || adapted) of each pair of distributions, in nats: how surprised one is by what the base model would have written.

    Args:
        base: float32 (n, vocabulary), natural logs of probabilities; -inf is a probability of 0.
        adapted: likewise, finite where `base` is.

    Returns:
        float64 (n,), at least 0: the little that rounding takes below is cut.
    """
    p, q = base.astype(np.float64), adapted.astype(np.float64)
    is_possible = np.isfinite(p)
    apart = np.where(is_possible, p, 0.0) - np.where(is_possible, q, 0.0)
    found: NDArray[np.float64] = (np.exp(p) * apart).sum(axis=1)
    return found.clip(min=0.0)


def _at_least_0(values: NDArray[np.float64]) -> Estimate | None:
    found = estimate(values.tolist(), range(len(values)), binary=False, bounds=None)
    return None if found is None else clipped(found, 0.0, math.inf)


def _scores(said: ModelReading, asked: Sequence[Example]) -> list[float]:
    return [compare(text, example) for text, example in zip(said.answers, asked, strict=True)]
