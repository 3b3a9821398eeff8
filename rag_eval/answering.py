"""The questions of a run to its answers: those that its journal holds already are not asked again, what is found is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from rag_eval.protocols import Cache, Retriever, Searching
from rag_eval.record.run_directory import RunDirectory
from rag_eval.retrieve.cached_retriever import CachedRetriever
from rag_eval.retrieve.document_store import documents_sha
from rag_eval.system import System
from rag_eval.types import Example, Prediction, QADataset

log = logging.getLogger(__name__)

CHUNK = 128  # questions answered between two entries of the journal


def keeping(retriever: Retriever, dataset: QADataset, cache: Cache) -> Retriever:
    """The retriever of a ready system, its finds kept if it searches by content."""
    if not isinstance(retriever, Searching):
        return retriever
    return CachedRetriever(retriever, dataset.documents, documents_sha(dataset.documents), cache)


def warm_up(system: System, examples: Sequence[Example], directory: RunDirectory) -> float:
    """Load and make the first calls, untimed, if something is left to answer. Returns the seconds that earlier answers took."""
    done = directory.predictions()
    left = [example for example in examples if example.id not in done]
    if left and len(left) < len(examples):
        log.warning("resuming: %d of %d questions were answered before", len(examples) - len(left), len(examples))
    if left:
        system.warm_up(left[:1])
    return sum(sum(done[example.id].seconds.values()) for example in examples if example.id in done)


def answer(system: System, examples: Sequence[Example], directory: RunDirectory) -> list[Prediction]:
    """Answer what the journal does not hold yet, chunk by chunk."""
    done = directory.predictions()
    for chunk in _chunks([example for example in examples if example.id not in done], CHUNK):
        predictions = system.answer(chunk)
        directory.append(predictions)
        done |= {prediction.example_id: prediction for prediction in predictions}
    return [done[example.id] for example in examples]


def _chunks(examples: Sequence[Example], size: int) -> Iterator[Sequence[Example]]:
    return (examples[at : at + size] for at in range(0, len(examples), size))
