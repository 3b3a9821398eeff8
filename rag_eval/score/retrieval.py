"""Is the evidence among the documents found? Binary relevance, on ids alone.

In all of them: evidence counts once however often it is listed, a document found twice counts where it stands first,
a list shorter than k is what was found, and without evidence the result is nan (nothing to find is not a zero).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from rag_eval.types import Example

Found = str | frozenset[str]  # a document's id, or the evidence that a document stands for


def as_evidence(retrieved: Sequence[str], example: Example) -> list[Found]:
    """Of each document, in order, all the evidence that it is or is as good as; as Example.held takes it."""
    return [frozenset(example.stands_for(id)) for id in retrieved]


def recall_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """Share of the evidence found among the first k documents.

    Args:
        retrieved: document ids, or what as_evidence makes of them, best first.
        evidence: ids of documents that hold the answer.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan when there is no evidence.

    Raises:
        ValueError: if k < 1.
    """
    ranks = _ranks(retrieved, evidence, k)
    return len(ranks) / len(set(evidence)) if evidence else math.nan


def hit_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """1.0 if any evidence is among the first k documents, else 0.0. Arguments and nan as in recall_at_k."""
    ranks = _ranks(retrieved, evidence, k)
    return float(bool(ranks)) if evidence else math.nan


def reciprocal_rank(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """1 / rank of the first evidence among the first k documents, 0.0 without any. Arguments and nan as in recall_at_k."""
    ranks = _ranks(retrieved, evidence, k)
    return max((1 / rank for rank in ranks), default=0.0) if evidence else math.nan


def ndcg_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """Gain of the evidence among the first k, discounted by log2(rank + 1), over that of the best possible order.

    Arguments and nan as in recall_at_k. Järvelin and Kekäläinen 2002, as trec_eval computes it for gains of 0 and 1.
    A document that stands for several pieces gains for each at its rank; the result is never above 1.
    """
    ranks = _ranks(retrieved, evidence, k)
    if not evidence:
        return math.nan
    return min(1.0, _discounted(ranks) / _discounted(range(1, min(k, len(set(evidence))) + 1)))


def r_precision(retrieved: Sequence[Found], evidence: Collection[str]) -> float:
    """Share of the evidence among the first R documents, R being how many distinct ids the evidence has. nan as in recall_at_k."""
    return recall_at_k(retrieved, evidence, len(set(evidence))) if evidence else math.nan


def _ranks(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> list[int]:
    """Ranks, from 1, of the evidence among the first k documents."""
    if k < 1:
        raise ValueError(f"k must be at least 1 but is {k}.")
    first: dict[str, int] = {}
    for rank, one in enumerate(retrieved[:k], start=1):
        for id in (one,) if isinstance(one, str) else one:
            first.setdefault(id, rank)
    return [first[id] for id in set(evidence) if id in first]


def _discounted(ranks: Collection[int]) -> float:
    return math.fsum(1 / math.log2(rank + 1) for rank in ranks)
