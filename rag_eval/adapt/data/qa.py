"""Training on questions without passages, optionally with reading exercises and with facts of no document."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from rag_eval.adapt.data.documents import grouped
from rag_eval.errors import DataError
from rag_eval.protocols import PromptWriter, Trainable
from rag_eval.types import ABSTENTION, Document, Example, QADataset, Source, TrainingRow


class QA:
    """Every training question once.

    To measure the harm of facts that are in no document, a share of the questions can be replaced by questions about entities of
    no document. The number of rows stays the same, as in Gekhman et al. (2024, arXiv 2405.05904).
    """

    def __init__(
        self,
        reading_share: Annotated[float, Field(ge=0, lt=1)],
        order: Literal["shuffled", "grouped"] = "shuffled",
        unknown_share: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        """Configure the rows.

        Args:
            reading_share: share of reading exercises; fewer if the dataset has fewer.
            order: "shuffled", or "grouped" to keep the questions of one cluster together in every epoch (a negative control);
                exercises are in random positions.
            unknown_share: share of the training questions that are replaced by questions about entities of no document. In contrast
                to replay these are not additional and not meant to help.
        """
        self.reading_share, self.order, self.unknown_share = reading_share, order, unknown_share
        self.keeps_order = order == "grouped"

    def rows(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> list[TrainingRow]:
        check_taught(dataset)
        if self.keeps_order:
            _check_groups(dataset)
        rng = random.Random(f"training set/{seed}")
        known, unknown = _with_unknown(dataset, self.unknown_share, seed)
        rows = [row_of(generator, prompt, example, ()) for example in known]
        rows += [row_of(generator, prompt, example, (), "unknown") for example in unknown]
        n_reading = min(len(dataset.reading), n_beside(len(rows), self.reading_share))
        exercises = rng.sample(dataset.reading, n_reading)
        rows += [general_row(generator, prompt, one.example, one.documents) for one in exercises]
        rng.shuffle(rows)
        return grouped(rows) if self.keeps_order else rows


def _with_unknown(dataset: QADataset, share: float, seed: int) -> tuple[Sequence[Example], Sequence[Example]]:
    """Training questions that are kept, and the questions about entities of no document that replace the others.

    Args:
        dataset: the dataset.
        share: share to replace.
        seed: seed of both samples.

    Returns:
        Kept and replacing questions.

    Raises:
        DataError: if there are not enough replacing questions.
    """
    n = round(len(dataset.train) * share)
    if not n:
        return dataset.train, ()
    taught = {example.id for example in dataset.train}
    others = [example for example in dataset.unknown if example.id not in taught]
    if len(others) < n:
        raise DataError(
            f"{dataset.name}: adapter.data.unknown_share={share} takes {n} questions about entities of no document, found {len(others)}. "
            f"Set adapter.data.unknown_share lower, or to 0 where there are none; dataset=world with dataset.lessons=own has some."
        )
    rng = random.Random(f"unknown facts/{seed}")
    return rng.sample(dataset.train, len(dataset.train) - n), rng.sample(others, n)


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


def n_beside(n: int, share: float) -> int:
    """Number of rows to add to n rows so that they are a share of all, in [0, 1)."""
    return round(n * share / (1 - share))


def row_of(
    generator: Trainable, prompt: PromptWriter, example: Example, documents: Sequence[Document], source: Source = "qa"
) -> TrainingRow:
    """Training row of a question with passages; the target of an unanswerable question is the abstention.

    Args:
        generator: formats prompts.
        prompt: renders prompts.
        example: the question.
        documents: passages of the prompt.
        source: kind of row.

    Returns:
        The row.
    """
    answer = example.answers[0] if example.answers else ABSTENTION
    asked = prompt.render(example, documents)
    before, whole = generator.format(asked), generator.answered(asked, answer)
    completion = whole.text.removeprefix(before.text)
    return TrainingRow(before.text, completion, example.cluster, source, example.id, whole.is_templated, whole.literal)


def general_row(generator: Trainable, prompt: PromptWriter, example: Example, documents: Sequence[Document]) -> TrainingRow:
    """Training row of a question that does not concern the dataset: source "replay", no cluster and no id.

    Args:
        generator: formats prompts.
        prompt: renders prompts.
        example: the question.
        documents: passages of the prompt.

    Returns:
        The row.
    """
    row = row_of(generator, prompt, example, documents)
    return replace(row, cluster="", source="replay", id="")
