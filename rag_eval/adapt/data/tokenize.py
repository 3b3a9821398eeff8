"""Training rows, checked for leaks, and their tokens and labels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from rag_eval.adapt.data.leaks import check_leaks
from rag_eval.adapt.data.length_check import check_length
from rag_eval.models.tokenization import Tokenization
from rag_eval.prompt import n_shared
from rag_eval.protocols import PromptWriter, Trainable, TrainingData
from rag_eval.text.counted import counted
from rag_eval.types import ExerciseCounts, QADataset, TrainingRow, TrainingSet

log = logging.getLogger(__name__)

LabelledTokens = dict[str, list[int]]  # input_ids and labels


def training_rows(data: TrainingData, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> list[TrainingRow]:
    """Rows of one epoch, checked for leaks and length.

    Args:
        data: training data.
        generator: the generator to be trained.
        prompt: renders prompts.
        dataset: the dataset.
        seed: seed of the rows.

    Returns:
        The rows.

    Raises:
        DataError: if a row contains a test or dev question or is too long, or the dataset lacks the required data.
    """
    return list(training_set(data, generator, prompt, dataset, seed).rows)


def training_set(data: TrainingData, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingSet:
    """Rows of one epoch, checked for leaks and length, and the origin of their reading exercises.

    Args:
        data: training data.
        generator: the generator to be trained.
        prompt: renders prompts.
        dataset: the dataset.
        seed: seed of the rows.

    Returns:
        The rows with the counts of their reading exercises.

    Raises:
        DataError: if a row contains a test or dev question or is too long, or the dataset lacks the required data.
    """
    made = data.training_set(generator, prompt, dataset, seed)
    check_length(made.rows, generator)
    check_leaks(made.rows, dataset)
    _warn_lacking(dataset, made.exercises)
    return made


def _warn_lacking(dataset: QADataset, counts: ExerciseCounts | None) -> None:
    """Log why there are no exercises where some are wanted, or how many are left out."""
    if counts is not None and counts.why_none:
        log.warning("%s: trained without reading exercises: %s. Such a model unlearns reading passages.", dataset.name, counts.why_none)
    elif counts is not None and counts.n_too_long:
        exercises = counted(counts.n_too_long, "reading exercise", "reading exercises")
        log.warning("%s: left out %s longer than the model reads.", dataset.name, exercises)


def tokenized(tokenizer: Any, rows: Sequence[TrainingRow]) -> list[LabelledTokens]:
    """Token ids as the generator sees them, and labels that are -100 on the prompt; a learned end token is appended.

    Args:
        tokenizer: tokenizer of the model.
        rows: training rows.

    Returns:
        Tokens and labels of each row.

    Raises:
        DataError: if the tokenizer has no end token.
    """
    tokenization = Tokenization(tokenizer)
    prompts, wholes = (tokenization.ids(texts) for texts in ([row.before for row in rows], [row.whole for row in rows]))
    return [
        # A token may span prompt and answer, so the answer begins at the first difference.
        _labelled([*ids, tokenization.end], n_shared(before, ids) if row.prompt else 0)
        for row, before, ids in zip(rows, prompts, wholes, strict=True)
    ]


def _labelled(ids: list[int], border: int) -> LabelledTokens:
    return {"input_ids": ids, "labels": [-100] * border + ids[border:]}
