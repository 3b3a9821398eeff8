"""Training on documents, paraphrases and questions, with general rows against forgetting."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from rag_eval.adapt.data.documents import Documents
from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.data.question_rows import general_row, n_beside
from rag_eval.adapt.data.reading import reading_rows
from rag_eval.errors import ConfigError, DataError
from rag_eval.protocols import PromptWriter, Trainable
from rag_eval.types import ExerciseCounts, QADataset, TrainingRow, TrainingSet


class Mixed:
    """Texts and questions in a fixed ratio; rows of the smaller kind are repeated, and none is dropped.

    A ratio of 1 with some general data follows Han et al. (2026, arXiv 2603.23562).
    """

    keeps_order: bool = False

    def __init__(
        self,
        n_restated: NonNegativeInt | None,
        texts_per_question: PositiveFloat,
        replay: Literal["reading", "others"],
        replay_share: Annotated[float, Field(ge=0, lt=1)],
        unknown_share: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        unanswerable_share: Annotated[float, Field(ge=0, lt=1)] | None = 0.0,
        n_documents: PositiveInt = 3,
    ) -> None:
        """Configure the rows.

        Args:
            n_restated: number of paraphrases per document; None = all.
            texts_per_question: rows of documents and paraphrases per row of a question.
            replay: general rows: reading exercises (of the dataset, else made of training questions), or questions about entities of
                no document.
            replay_share: share of general rows; fewer if the dataset has fewer.
            unknown_share: share of the questions that are about entities of no document, as in QA.
            unanswerable_share: maximum share of unanswerable questions among those without passages, as in QA; None = all of them.
            n_documents: passages of an exercise that is made, evidence included.

        Raises:
            ConfigError: if both `replay` and `unknown_share` use the same questions.
        """
        if unknown_share and replay_share and replay == "others":
            raise ConfigError("adapter.data.unknown_share and adapter.data.replay=others take the same questions. Set replay=reading.")
        self.n_restated, self.texts_per_question, self.replay, self.replay_share = n_restated, texts_per_question, replay, replay_share
        self.unknown_share, self.unanswerable_share, self.n_documents = unknown_share, unanswerable_share, n_documents

    def training_set(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingSet:
        rng = random.Random(f"mixed/{seed}")
        alone = QA(0.0, unknown_share=self.unknown_share, unanswerable_share=self.unanswerable_share)
        texts, questions = (
            data.training_set(generator, prompt, dataset, seed).rows for data in (Documents(True, self.n_restated, "shuffled"), alone)
        )
        n_texts = max(len(texts), round(len(questions) * self.texts_per_question))
        n_questions = max(len(questions), round(len(texts) / self.texts_per_question))
        rows = _repeated(texts, n_texts, rng) + _repeated(questions, n_questions, rng)
        n_general = n_beside(len(rows), self.replay_share)
        general, counts = (
            self._others(generator, prompt, dataset, n_general, rng)
            if self.replay == "others"
            else reading_rows(generator, prompt, dataset, n_general, self.n_documents, seed, rng)
        )
        if n_general and not general:
            why = f": {counts.why_none}" if counts.why_none else ""
            raise DataError(f"{dataset.name}: has nothing general ({self.replay}) to mix in{why}. Set adapter.data.replay_share=0.")
        rows += general
        rng.shuffle(rows)
        return TrainingSet(rows, counts)

    def _others(
        self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, n: int, rng: random.Random
    ) -> tuple[list[TrainingRow], ExerciseCounts]:
        chosen = rng.sample(dataset.unknown, min(n, len(dataset.unknown)))
        return [general_row(generator, prompt, example, ()) for example in chosen], ExerciseCounts()


def _repeated(rows: Sequence[TrainingRow], n: int, rng: random.Random) -> list[TrainingRow]:
    """n rows in which each row occurs equally often, up to one."""
    return [*rows] * (n // len(rows)) + rng.sample(rows, n % len(rows))
