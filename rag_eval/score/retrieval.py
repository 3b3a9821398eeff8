"""Retrieval metrics on document ids. Relevance is binary except in nDCG, which uses grades.

In all metrics duplicate evidence counts once, a document retrieved twice counts at its first rank, a list shorter than k is
taken as complete, and without evidence the result is nan. Each function is a metric of `metrics.retrieval` with the arguments
(retrieved, evidence, k).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from rag_eval.score.metric import Declaration, declares
from rag_eval.types import Example

Found = str | frozenset[str]  # a document's id, or the ids of the evidence that it is equivalent to


def as_evidence(retrieved: Sequence[str], example: Example) -> list[Found]:
    """For each retrieved document, in order, the ids of the evidence that it is or is equivalent to (`Example.stands_for`)."""
    return [frozenset(example.stands_for(id)) for id in retrieved]


@declares(Declaration("retrieval", label="recall@{k}", judges="evidence", depths="each", is_column=True))
def recall_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """Share of the evidence among the first k documents.

    Args:
        retrieved: document ids, or the result of `as_evidence`, best first.
        evidence: ids of the relevant documents.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan if there is no evidence.

    Raises:
        ValueError: if k < 1.
    """
    ranks = _ranks(retrieved, evidence, k)
    return len(ranks) / len(set(evidence)) if evidence else math.nan


@declares(Declaration("retrieval", label="hit@{k}", judges="evidence", depths="each"))
def hit_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """1.0 if any evidence is among the first k documents, else 0.0 (success@k).

    Args:
        retrieved: document ids, or the result of `as_evidence`, best first.
        evidence: ids of the relevant documents.
        k: cut-off, at least 1.

    Returns:
        0.0 or 1.0; nan if there is no evidence.

    Raises:
        ValueError: if k < 1.
    """
    ranks = _ranks(retrieved, evidence, k)
    return float(bool(ranks)) if evidence else math.nan


@declares(Declaration("retrieval", label="MRR@{k}", judges="evidence", depths="deepest"))
def reciprocal_rank(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """1 / rank of the first evidence among the first k documents, 0.0 if there is none.

    Args:
        retrieved: document ids, or the result of `as_evidence`, best first.
        evidence: ids of the relevant documents.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan if there is no evidence.

    Raises:
        ValueError: if k < 1.
    """
    ranks = _ranks(retrieved, evidence, k)
    return max((1 / rank for rank in ranks.values()), default=0.0) if evidence else math.nan


@declares(Declaration("retrieval", label="nDCG@{k}", judges="evidence", depths="deepest", is_objective=True))
def ndcg_at_k(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """nDCG@k: sum of grade / log2(rank + 1) over the evidence among the first k, divided by that of the ideal ranking.

    Järvelin and Kekäläinen 2002, with linear gain as in trec_eval. A document that is equivalent to several pieces of evidence
    gains for each at its rank; the result is capped at 1.

    Args:
        retrieved: document ids, or the result of `as_evidence`, best first.
        evidence: ids of the relevant documents, or a mapping from ids to grades above 0. Without grades all are 1.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan if there is no evidence.

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
    """Average precision at k: precision at the rank of each piece of evidence, 0 if it is not among the first k, averaged over all.

    Equals `map_cut` of trec_eval; the mean over questions is MAP. A document that is equivalent to several pieces of evidence
    counts as one rank for all of them, with a precision of at most 1.

    Args:
        retrieved: document ids, or the result of `as_evidence`, best first.
        evidence: ids of the relevant documents.
        k: cut-off, at least 1.

    Returns:
        A number in [0, 1]; nan if there is no evidence.

    Raises:
        ValueError: if k < 1.
    """
    ranks = sorted(_ranks(retrieved, evidence, k).values())
    precisions = (min(1.0, n / rank) for n, rank in enumerate(ranks, start=1))
    return math.fsum(precisions) / len(set(evidence)) if evidence else math.nan


@declares(Declaration("retrieval", label="R-precision", judges="evidence", depths="searched"))
def r_precision(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> float:
    """R-precision: share of the evidence among the first R documents, R being the number of distinct evidence ids.

    Args:
        retrieved: document ids, or the result of `as_evidence`, best first.
        evidence: ids of the relevant documents.
        k: search depth.

    Returns:
        A number in [0, 1]; nan if there is no evidence or R > k.
    """
    n = len(set(evidence))
    return recall_at_k(retrieved, evidence, n) if 0 < n <= k else math.nan


def _ranks(retrieved: Sequence[Found], evidence: Collection[str], k: int) -> dict[str, int]:
    """Ranks (from 1) of the evidence among the first k documents, by id.

    Args:
        retrieved: document ids or sets of evidence ids, best first.
        evidence: ids of the relevant documents.
        k: cut-off.

    Returns:
        Ranks of the evidence that was found.

    Raises:
        ValueError: if k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1 but is {k}.")
    first: dict[str, int] = {}
    for rank, one in enumerate(retrieved[:k], start=1):
        for id in (one,) if isinstance(one, str) else one:
            first.setdefault(id, rank)
    return {id: first[id] for id in set(evidence) if id in first}


def _discounted(gains: Iterable[tuple[float, int]]) -> float:
    """Discounted cumulative gain of pairs (gain, rank)."""
    return math.fsum(gain / math.log2(rank + 1) for gain, rank in gains)
