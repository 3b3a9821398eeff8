"""Several rankings of the same documents to one, by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rag_eval.types import Document, Retrieved, Searched


def fuse(searches: Sequence[Sequence[Searched]], weights: Sequence[float], constant: float, fused_depth: int, depth: int) -> list[Searched]:
    """What several searches found for the same questions, as one result a question.

    Args:
        searches: each with one result a question, in the same order of questions.
        weights: one a search, above 0.
        constant: how much lower ranks count beside the first ones; 60 in the paper.
        fused_depth: documents of each search that are fused.
        depth: documents that are kept for a question.

    Returns:
        Seconds are summed by stage; fusing counts as searching, an equal share for each question.
    """
    start = time.perf_counter()
    found = list(zip(*searches, strict=True))
    hits = [fused([one.hits[:fused_depth] for one in results], weights, constant, depth) for results in found]
    share = {"search": (time.perf_counter() - start) / max(1, len(found))}
    return [Searched(best, _summed([*(one.seconds for one in results), share])) for best, results in zip(hits, found, strict=True)]


def fused(rankings: Sequence[Sequence[Retrieved]], weights: Sequence[float], constant: float, depth: int) -> tuple[Retrieved, ...]:
    """The documents with the highest sums of weight / (constant + rank) over the rankings that hold them, best first.

    Only ranks count, so scores of different units can be fused. Of equal sums the document that an earlier ranking holds
    comes first, and within a ranking the one of better rank. Rankings are best first; other arguments as in `fuse`.
    """
    documents: dict[str, Document] = {}
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for hit in ranking:
            documents.setdefault(hit.document.id, hit.document)
            scores[hit.document.id] = scores.get(hit.document.id, 0.0) + weight / (constant + hit.rank)
    best = sorted(scores, key=lambda id: -scores[id])[:depth]
    return tuple(Retrieved(documents[id], scores[id], rank) for rank, id in enumerate(best, start=1))


def _summed(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    stages = dict.fromkeys(stage for one in parts for stage in one)
    return {stage: sum(one.get(stage, 0.0) for one in parts) for stage in stages}
