"""Check that training rows contain no test or dev question."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.errors import DataError
from rag_eval.text.normalize import normalize
from rag_eval.text.quotation import quotations
from rag_eval.types import Example, QADataset, TrainingRow


def check_leaks(rows: Sequence[TrainingRow], dataset: QADataset) -> None:
    """Check that no row contains a test or dev question verbatim, ignoring case, punctuation and articles.

    Not checked are very short questions, follow-up questions, and those that are also training questions, which `check_splits` handles.

    Args:
        rows: training rows.
        dataset: the dataset.

    Raises:
        DataError: naming the first row and its question.
    """
    hidden = hidden_questions(dataset)
    texts = {str(at): f"{row.prompt} {row.completion}" for at, row in enumerate(rows)}
    found = next(quotations(texts, {str(at): example.question for at, example in enumerate(hidden)}), None)
    if found:
        row, example = rows[int(found[0])], hidden[int(found[1])]
        raise DataError(
            f"{dataset.name}: leak: the training row of {row.source} {row.id!r} holds the question {example.id!r} word for word "
            f"({example.question!r}). Take the question out of the test, or that text out of what is trained on (adapter/data=qa)."
        )


def hidden_questions(dataset: QADataset) -> list[Example]:
    """Test and dev questions that no training row may contain: those without history that are not training questions as well."""
    taught = {normalize(example.question) for example in dataset.train}
    return [one for one in (*dataset.test, *dataset.dev) if not one.history and normalize(one.question) not in taught]
