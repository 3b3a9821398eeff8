"""Training on questions with passages: evidence among distractors, or distractors only."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, PositiveInt

from rag_eval.adapt.data.documents import clusters_of
from rag_eval.adapt.data.qa import check_taught
from rag_eval.adapt.data.question_rows import row_of
from rag_eval.errors import DataError
from rag_eval.protocols import PromptWriter, Trainable
from rag_eval.text.normalize import normalize
from rag_eval.types import Document, Example, QADataset, TrainingSet

N_CANDIDATES = 64  # documents sampled per question; those with the most words in common with it become distractors


class Raft:
    """Retrieval-augmented fine-tuning (Zhang et al. 2024, arXiv 2403.10131), without chain of thought.

    A share of the rows has the evidence among distractors, the others have distractors only; the target is the answer in both. Distractors
    are about other clusters than the question.
    """

    keeps_order: bool = False
    has_passages: bool = True  # every row has passages, as some modes require

    def __init__(self, n_documents: PositiveInt, gold_share: Annotated[float, Field(ge=0, le=1)]) -> None:
        """Configure the rows.

        Args:
            n_documents: passages per question, including evidence; more if the question has more evidence.
            gold_share: P of the paper: share of the rows with evidence.
        """
        self.n_documents, self.gold_share = n_documents, gold_share

    def training_set(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingSet:
        check_taught(dataset)
        rng = random.Random(f"raft/{seed}")
        documents = {document.id: document for document in dataset.documents}
        _check_evidence(dataset, documents)
        clusters = clusters_of(dataset)
        words = {one.id: set(normalize(f"{one.title} {one.text}").split()) for one in dataset.documents}
        n_gold = round(len(dataset.train) * self.gold_share)
        with_gold = set(rng.sample(range(len(dataset.train)), n_gold))
        rows = []
        for at, example in enumerate(dataset.train):
            gold = [documents[id] for id in example.evidence] if at in with_gold else []
            n = max(0, self.n_documents - len(gold))
            passages = gold + _distractors(example, dataset.documents, clusters, words, n, rng)
            rng.shuffle(passages)
            rows.append(row_of(generator, prompt, example, passages, "raft"))
        rng.shuffle(rows)
        return TrainingSet(rows)


def _distractors(
    example: Example,
    documents: Sequence[Document],
    clusters: Mapping[str, str],
    words: Mapping[str, set[str]],
    n: int,
    rng: random.Random,
) -> list[Document]:
    """At most n documents of distinct clusters, none of the question's cluster or of its evidence's."""
    asked = set(normalize(example.question).split())
    taken = {example.cluster, *(clusters[id] for id in example.holders if id in clusters)}
    drawn = rng.sample(documents, min(N_CANDIDATES, len(documents)))
    chosen: list[Document] = []
    for one in sorted(drawn, key=lambda one: -len(asked & words[one.id])):
        if len(chosen) < n and clusters[one.id] not in taken:
            chosen.append(one)
            taken.add(clusters[one.id])
    return chosen


def _check_evidence(dataset: QADataset, documents: Mapping[str, Document]) -> None:
    lacking = [one.id for one in dataset.train if one.is_answerable and not (one.evidence and set(one.evidence) <= documents.keys())]
    if lacking:
        raise DataError(
            f"{dataset.name}: {len(lacking)} training questions have no evidence in the corpus (first: {lacking[0]!r}), which "
            "adapter/data=raft shows them with. Name it, or use mode=rag_finetune."
        )
