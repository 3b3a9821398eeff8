"""Training on questions without passages, optionally with reading exercises and with facts of no document."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from rag_eval.adapt.data.documents import grouped
from rag_eval.adapt.data.question_rows import n_beside, row_of
from rag_eval.adapt.data.reading import reading_rows
from rag_eval.errors import DataError
from rag_eval.protocols import PromptWriter, Trainable
from rag_eval.types import Example, QADataset, TrainingSet


class QA:
    """Every training question once without passages, unanswerable ones in a limited share, and some questions with passages.

    Without a passage nothing tells which question has no answer: a model trained on such questions learns how often to abstain, not
    when. With passages it can be seen, so that reading exercises include them.

    To measure the harm of facts that are in no document, a share of the questions can be replaced by questions about entities of
    no document. The number of rows stays the same, as in Gekhman et al. (2024, arXiv 2405.05904).
    """

    def __init__(
        self,
        reading_share: Annotated[float, Field(ge=0, lt=1)],
        order: Literal["shuffled", "grouped"] = "shuffled",
        unknown_share: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        unanswerable_share: Annotated[float, Field(ge=0, lt=1)] | None = 0.0,
        n_documents: PositiveInt = 3,
    ) -> None:
        """Configure the rows.

        Args:
            reading_share: share of reading exercises: those of the dataset, else made of training questions and their evidence; fewer
                if there are fewer.
            order: "shuffled", or "grouped" to keep the questions of one cluster together in every epoch (a negative control);
                exercises of the dataset are in random positions.
            unknown_share: share of the training questions that are replaced by questions about entities of no document. In contrast
                to replay these are not additional and not meant to help.
            unanswerable_share: maximum share of unanswerable questions among those without passages; None = all of them.
            n_documents: passages of an exercise that is made, evidence included.
        """
        self.reading_share, self.order, self.unknown_share = reading_share, order, unknown_share
        self.unanswerable_share, self.n_documents = unanswerable_share, n_documents
        self.keeps_order = order == "grouped"

    def training_set(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingSet:
        check_taught(dataset)
        if self.keeps_order:
            _check_groups(dataset)
        rng = random.Random(f"training set/{seed}")
        known, unknown = _with_unknown(dataset, asked_alone(dataset, self.unanswerable_share, seed), self.unknown_share, seed)
        rows = [row_of(generator, prompt, example, ()) for example in known]
        rows += [row_of(generator, prompt, example, (), "unknown") for example in unknown]
        n_reading = n_beside(len(rows), self.reading_share)
        exercises, counts = reading_rows(generator, prompt, dataset, n_reading, self.n_documents, seed, rng)
        rows += exercises
        rng.shuffle(rows)
        return TrainingSet(grouped(rows) if self.keeps_order else rows, counts)


def asked_alone(dataset: QADataset, unanswerable_share: float | None, seed: int) -> Sequence[Example]:
    """Training questions to be asked without passages.

    Args:
        dataset: the dataset.
        unanswerable_share: maximum share of unanswerable ones; None = all of them.
        seed: seed of the sample of these.

    Returns:
        The questions, in order.

    Raises:
        DataError: if no question is left.
    """
    unanswerable = [example.id for example in dataset.train if not example.answers]
    if unanswerable_share is None or not unanswerable:
        return dataset.train
    n = min(len(unanswerable), n_beside(len(dataset.train) - len(unanswerable), unanswerable_share))
    kept = set(random.Random(f"unanswerable/{seed}").sample(unanswerable, n))
    asked = [example for example in dataset.train if example.answers or example.id in kept]
    if not asked:
        raise DataError(
            f"{dataset.name}: none of {len(unanswerable)} training questions has an answer, and adapter.data.unanswerable_share="
            f"{unanswerable_share} leaves such questions out. Give answered ones, or set it to null."
        )
    return asked


def _with_unknown(dataset: QADataset, asked: Sequence[Example], share: float, seed: int) -> tuple[Sequence[Example], Sequence[Example]]:
    """Training questions that are kept, and the questions about entities of no document that replace the others.

    Args:
        dataset: the dataset.
        asked: the training questions.
        share: share to replace.
        seed: seed of both samples.

    Returns:
        Kept and replacing questions.

    Raises:
        DataError: if there are not enough replacing questions.
    """
    n = round(len(asked) * share)
    if not n:
        return asked, ()
    taught = {example.id for example in dataset.train}
    others = [example for example in dataset.unknown if example.id not in taught]
    if len(others) < n:
        raise DataError(
            f"{dataset.name}: adapter.data.unknown_share={share} takes {n} questions about entities of no document, found {len(others)}. "
            f"Set adapter.data.unknown_share lower, or to 0 where there are none; dataset=world with dataset.lessons=own has some."
        )
    rng = random.Random(f"unknown facts/{seed}")
    return rng.sample(asked, len(asked) - n), rng.sample(others, n)


def check_taught(dataset: QADataset) -> None:
    """Check that a dataset has training questions with answers.

    Args:
        dataset: the dataset.

    Raises:
        DataError: with a remedy.
    """
    if not dataset.train:
        raise DataError(f"{dataset.name}: expected training questions to fine-tune on, found none. Set dataset.train_share above 0.")
    bare = [example.id for example in dataset.train if example.grading.retrieval_only and not example.answers]
    if bare:
        raise DataError(
            f"{dataset.name}: {len(bare)} training questions have no gold answer to learn (first: {bare[0]!r}), only documents. "
            "Give answers, or use adapter/data=documents."
        )


def _check_groups(dataset: QADataset) -> None:
    clusters = [example.cluster for example in dataset.train if example.cluster]
    if len(set(clusters)) == len(clusters):
        raise DataError(
            f"{dataset.name}: adapter.data.order=grouped needs training questions that share an entity or article, found none. "
            "Set adapter.data.order=shuffled."
        )
