"""Training rows of questions, with or without passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_eval.protocols import PromptWriter, Trainable
from rag_eval.types import ABSTENTION, Document, Example, QADataset, Source, TrainingRow


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


def dev_rows(generator: Trainable, prompt: PromptWriter, dataset: QADataset, rows: Sequence[TrainingRow]) -> list[TrainingRow]:
    """Rows of the dev questions without passages, by which training may be stopped early.

    Unanswerable dev questions are left out if training has questions without passages and none of them is unanswerable.

    Args:
        generator: formats prompts.
        prompt: renders prompts.
        dataset: the dataset.
        rows: the training rows.

    Returns:
        The rows.
    """
    alone = {row.id for row in rows if row.source == "qa"}
    has_unanswerable = not alone or any(example.id in alone and not example.answers for example in dataset.train)
    return [row_of(generator, prompt, example, ()) for example in dataset.dev if example.answers or has_unanswerable]
