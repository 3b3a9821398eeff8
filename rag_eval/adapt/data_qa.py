"""Training questions without passages, mixed with reading exercises about other documents and with facts of no document."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from rag_eval.adapt.data_documents import grouped
from rag_eval.errors import DataError
from rag_eval.parts import PromptWriter, Row, Source, Trainable
from rag_eval.types import ABSTENTION, Document, Example, QADataset


class QA:
    """Every training question once, in its own phrasing.

    To measure what facts do harm that nobody can look up, a share of the questions gives way to questions about entities of
    no document. Their number stays the same, as in Gekhman et al. (2024, arXiv 2405.05904), so that training costs the same.
    """

    def __init__(
        self,
        reading_share: Annotated[float, Field(ge=0, lt=1)],
        order: Literal["shuffled", "grouped"] = "shuffled",
        unknown_share: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        """
        Args:
            reading_share: share of the rows that are reading exercises; fewer where the dataset has fewer.
            order: shuffled, or the questions of one cluster in a row, one cluster after another in every pass, and exercises
                anywhere between: a negative control, as for documents.
            unknown_share: share of the questions that are about entities of no document, to be learned like the others; each
                stands in the place of a training question chosen at random. Not replay, which is added and meant to help.
        """
        self.reading_share, self.order, self.unknown_share = reading_share, order, unknown_share
        self.keeps_order = order == "grouped"

    def rows(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> list[Row]:
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
    """The training questions that stay, and the questions about entities of no document that take the place of the rest."""
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
    """Refuse a dataset without training questions, or with such that nobody knows the answer of.

    Raises:
        DataError: saying where they come from.
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
    """How many rows beside n others are that share of all, in [0, 1)."""
    return round(n * share / (1 - share))


def row_of(generator: Trainable, prompt: PromptWriter, example: Example, documents: Sequence[Document], source: Source = "qa") -> Row:
    """A question with these passages, and its answer; where it has none, that it is not known."""
    answer = example.answers[0] if example.answers else ABSTENTION
    asked = prompt.render(example, documents)
    before, whole = generator.format(asked), generator.answered(asked, answer)
    completion = whole.text.removeprefix(before.text)
    return Row(before.text, completion, example.cluster, source, example.id, whole.is_templated, whole.literal)


def general_row(generator: Trainable, prompt: PromptWriter, example: Example, documents: Sequence[Document]) -> Row:
    """The same for a question about nothing of the dataset, whatever it calls that."""
    row = row_of(generator, prompt, example, documents)
    return replace(row, cluster="", source="replay", id="")
