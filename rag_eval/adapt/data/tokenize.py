"""Training rows, checked for leaks, and their tokens and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag_eval.adapt.data.length_check import check_length
from rag_eval.errors import DataError
from rag_eval.models.tokenization import Tokenization
from rag_eval.prompt import n_shared
from rag_eval.protocols import PromptWriter, Trainable, TrainingData
from rag_eval.text.normalize import normalize
from rag_eval.text.quotation import quotations
from rag_eval.types import QADataset, TrainingRow

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
    rows = data.rows(generator, prompt, dataset, seed)
    check_length(rows, generator)
    check_leaks(rows, dataset)
    return rows


def check_leaks(rows: Sequence[TrainingRow], dataset: QADataset) -> None:
    """Check that no row contains a test or dev question verbatim, ignoring case, punctuation and articles.

    Not checked are very short questions, follow-up questions, and those that are also training questions, which `check_splits` handles.

    Args:
        rows: training rows.
        dataset: the dataset.

    Raises:
        DataError: naming the first row and its question.
    """
    taught = {normalize(example.question) for example in dataset.train}
    hidden = [one for one in (*dataset.test, *dataset.dev) if not one.history and normalize(one.question) not in taught]
    texts = {str(at): f"{row.prompt} {row.completion}" for at, row in enumerate(rows)}
    found = next(quotations(texts, {str(at): example.question for at, example in enumerate(hidden)}), None)
    if found:
        row, example = rows[int(found[0])], hidden[int(found[1])]
        raise DataError(
            f"{dataset.name}: leak: the training row of {row.source} {row.id!r} holds the question {example.id!r} word for word "
            f"({example.question!r}). Take the question out of the test, or that text out of what is trained on (adapter/data=qa)."
        )


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
