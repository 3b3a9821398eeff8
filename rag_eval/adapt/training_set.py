"""What a model is trained on, checked for leaks, and as tokens with the labels that say what of it is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag_eval.adapt.fitting import check_length
from rag_eval.errors import DataError
from rag_eval.parts import PromptWriter, Row, Trainable, TrainingData
from rag_eval.prompt import n_shared
from rag_eval.score.normal_form import normalize
from rag_eval.score.quotation import quotations
from rag_eval.tokenization import Tokenization
from rag_eval.types import QADataset

Tokens = dict[str, list[int]]  # input_ids, labels


def training_rows(data: TrainingData, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> list[Row]:
    """The rows of one pass over the data, none of which holds a question of test or dev, or is too long for the model.

    Raises:
        DataError: if one does or is, or the dataset lacks what is to be trained on.
    """
    rows = data.rows(generator, prompt, dataset, seed)
    check_length(rows, generator)
    check_leaks(rows, dataset)
    return rows


def check_leaks(rows: Sequence[Row], dataset: QADataset) -> None:
    """Refuse rows in which a question of test or dev stands word for word, case, punctuation and articles aside.

    Left out are questions of too few words to be more than chance, those that continue a conversation, and those that are training
    questions too: whether these may be asked is checked with the splits.

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


def tokenized(tokenizer: Any, rows: Sequence[Row]) -> list[Tokens]:
    """Tokens as the generator will see them, and labels that are -100 on the prompt; one end token follows, and is learned.

    Raises:
        DataError: if the tokenizer has no end token.
    """
    tokenization = Tokenization(tokenizer)
    prompts, wholes = (tokenization.ids(texts) for texts in ([row.before for row in rows], [row.whole for row in rows]))
    return [
        # Tokens may merge across the border, so the answer begins where the two differ.
        _labelled([*ids, tokenization.end], n_shared(before, ids) if row.prompt else 0)
        for row, before, ids in zip(rows, prompts, wholes, strict=True)
    ]


def _labelled(ids: list[int], border: int) -> Tokens:
    return {"input_ids": ids, "labels": [-100] * border + ids[border:]}
