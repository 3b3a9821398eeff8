"""How much of what an exact search finds an approximate one finds too."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.probes.sample import sample
from rag_eval.protocols import Retriever
from rag_eval.retrieve.cached_retriever import CachedRetriever
from rag_eval.stats.estimate import estimate
from rag_eval.types import Estimate, Example, Prediction

N_EXACT_PROBE = 500  # questions by which an approximate search is compared with an exact one


def against_exact(retriever: Retriever, predictions: Sequence[Prediction], questions: Sequence[Example], k: int) -> dict[str, Estimate]:
    """Share of what an exact search puts among the best k that was found there, by a sample; nothing where the search is exact."""
    probe = sample(questions, N_EXACT_PROBE, "exact")
    exact = retriever.exactly(probe) if isinstance(retriever, CachedRetriever) else None
    if exact is None:
        return {}
    retrieved = {one.example_id: set(one.retrieved[:k]) for one in predictions}
    wanted = [{hit.document.id for hit in one.hits[:k]} for one in exact]
    shares = [len(retrieved[one.id] & best) / len(best) for one, best in zip(probe, wanted, strict=True) if best]
    found = estimate(shares, [example.cluster or example.id for example in probe], binary=False)
    return {} if found is None else {f"retrieval/exact_recall_{k}": found}
