"""Is the evidence among the documents found? On ids alone; relevance is binary but for nDCG, which takes grades.

In all of them: evidence counts once however often it is listed, a document found twice counts where it stands first,
a list shorter than k is what was found, and without evidence the result is nan (nothing to find is not a zero). Each is a
metric of metrics.retrieval: a function of what was found, of the evidence and of the depth.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from rag_eval.score.metric import Declaration, declares
from rag_eval.types import Example

Found = str | frozenset[str]  # a document's id, or the evidence that a document stands for


def as_evidence(retrieved: Sequence[str], example: Example) -> list[Found]:
    """Of each document, in order, all the evidence that it is or is as good as; as Example.held takes it."""
    return [frozenset(example.stands_for(id)) for id in retrieved]


@declares(Declaration("retrieval", label="recall@{k}", judges="evidence", depths="each", is_column=True))
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


@declares(Declaration("retrieval", label="hit@{k}", judges="evidence", depths="each"))
def hit_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """1.0 if any evidence is among the first k documents, else 0.0. Arguments and nan as in recall_at_k."""
    ranks = _ranks(retrieved, evidence, k)
    return float(bool(ranks)) if evidence else math.nan


@declares(Declaration("retrieval", label="MRR@{k}", judges="evidence", depths="deepest"))
def reciprocal_rank(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """1 / rank of the first evidence among the first k documents, 0.0 without any. Arguments and nan as in recall_at_k."""
    ranks = _ranks(retrieved, evidence, k)
    return max((1 / rank for rank in ranks.values()), default=0.0) if evidence else math.nan


@declares(Declaration("retrieval", label="nDCG@{k}", judges="evidence", depths="deepest", is_objective=True))
def ndcg_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """Gain of the evidence among the first k, discounted by log2(rank + 1), over that of the best possible order.

    Järvelin and Kekäläinen 2002, as trec_eval computes it: the gain of a document is its grade. A document that stands for
    several pieces gains for each at its rank; the result is never above 1.

    Args:
        retrieved: document ids, or what as_evidence makes of them, best first.
        evidence: ids of documents that hold the answer; of a mapping the values are grades, above 0. Without grades all are 1.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan when there is no evidence.

    Raises:
        ValueError: if k < 1.
    """
    ranks = _ranks(retrieved, evidence, k)
    if not evidence:
        return math.nan
    gains = dict(evidence) if isinstance(evidence, Mapping) else dict.fromkeys(evidence, 1.0)
    best = sorted(gains.values(), reverse=True)[:k]
    return min(1.0, _discounted((gains[id], rank) for id, rank in ranks.items()) / _discounted(zip(best, range(1, k + 1), strict=False)))


@declares(Declaration("retrieval", label="MAP@{k}", judges="evidence", depths="deepest"))
def average_precision(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """Precision at the rank of each piece of evidence, 0 for one that is not among the first k, averaged over all evidence.

    As trec_eval computes `map_cut`; the mean over questions is MAP. A document that stands for several pieces counts as one rank
    for all of them, at a precision of 1 at most. Arguments and nan as in recall_at_k.
    """
    ranks = sorted(_ranks(retrieved, evidence, k).values())
    precisions = (min(1.0, n / rank) for n, rank in enumerate(ranks, start=1))
    return math.fsum(precisions) / len(set(evidence)) if evidence else math.nan


@declares(Declaration("retrieval", label="R-precision", judges="evidence", depths="searched"))
def r_precision(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """Share of the evidence among the first R documents, R being how many distinct ids the evidence has.

    Args:
        retrieved: document ids, or what as_evidence makes of them, best first.
        evidence: ids of documents that hold the answer.
        k: how many documents were searched for.

    Returns:
        A number in [0, 1]; nan when there is no evidence, or R is above k.
    """
    n = len(set(evidence))
    return recall_at_k(retrieved, evidence, n) if 0 < n <= k else math.nan


def _ranks(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> dict[str, int]:
    """Ranks, from 1, of the evidence among the first k documents, by id."""
    if k < 1:
        raise ValueError(f"k must be at least 1 but is {k}.")
    first: dict[str, int] = {}
    for rank, one in enumerate(retrieved[:k], start=1):
        for id in (one,) if isinstance(one, str) else one:
            first.setdefault(id, rank)
    return {id: first[id] for id in set(evidence) if id in first}


def _discounted(gains: Iterable[tuple[float, int]]) -> float:
    """The sum of gains, each with the rank that it was made at."""
    return math.fsum(gain / math.log2(rank + 1) for gain, rank in gains)
