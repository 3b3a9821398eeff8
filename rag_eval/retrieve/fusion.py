"""Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009) of several rankings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rag_eval.types import Document, Hit, SearchResult


def fuse(
    searches: Sequence[Sequence[SearchResult]], weights: Sequence[float], constant: float, fused_depth: int, depth: int
) -> list[SearchResult]:
    """Fuse the results of several searches for the same questions.

    Args:
        searches: results of each search, one per question, in the same order of questions.
        weights: weight of each search, above 0.
        constant: added to each rank; larger values reduce the advantage of the first ranks; 60 in the paper.
        fused_depth: documents of each search that are fused.
        depth: documents that are returned per question.

    Returns:
        One result per question. Seconds are summed by stage; the time of fusion is added to `search` in equal shares.
    """
    start = time.perf_counter()
    found = list(zip(*searches, strict=True))
    hits = [fused([one.hits[:fused_depth] for one in results], weights, constant, depth) for results in found]
    share = {"search": (time.perf_counter() - start) / max(1, len(found))}
    return [SearchResult(best, _summed([*(one.seconds for one in results), share])) for best, results in zip(hits, found, strict=True)]


def fused(rankings: Sequence[Sequence[Hit]], weights: Sequence[float], constant: float, depth: int) -> tuple[Hit, ...]:
    """Documents with the highest sums of weight / (constant + rank), best first.

    Only ranks are used, so scores of different scales can be fused. Ties are resolved by the order of rankings, then by rank.

    Args:
        rankings: hits of each search, best first.
        weights: weight of each ranking.
        constant: added to each rank.
        depth: maximum number of documents.

    Returns:
        Hits with the fused score.
    """
    documents: dict[str, Document] = {}
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for hit in ranking:
            documents.setdefault(hit.document.id, hit.document)
            scores[hit.document.id] = scores.get(hit.document.id, 0.0) + weight / (constant + hit.rank)
    best = sorted(scores, key=lambda id: -scores[id])[:depth]
    return tuple(Hit(documents[id], scores[id], rank) for rank, id in enumerate(best, start=1))


def _summed(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    stages = dict.fromkeys(stage for one in parts for stage in one)
    return {stage: sum(one.get(stage, 0.0) for one in parts) for stage in stages}
