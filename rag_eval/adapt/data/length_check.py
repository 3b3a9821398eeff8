"""Check that training rows fit the model's context; rows are never truncated."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.errors import DataError
from rag_eval.protocols import Trainable
from rag_eval.types import TrainingRow

N_ADDED = 2  # begin and end token


def fits(row: TrainingRow, generator: Trainable) -> bool:
    """Whether a row with begin and end token fits the model's context."""
    limit = generator.n_positions
    # A token covers at least one byte, so that most texts need not be tokenized.
    return limit is None or len(row.whole.text.encode()) + N_ADDED <= limit or generator.count_row_tokens([row])[0] <= limit


def check_length(rows: Sequence[TrainingRow], generator: Trainable) -> None:
    """Check that all rows fit the model's context.

    Args:
        rows: training rows.
        generator: the generator to be trained.

    Raises:
        DataError: naming the first row that does not.
    """
    for row in rows:
        if not fits(row, generator):
            n = generator.count_row_tokens([row])[0]
            raise DataError(
                f"the row of {row.source} {row.id!r} has {n} tokens, more than the {generator.n_positions} positions of "
                f"{generator.model}. Show it fewer or shorter passages: set adapter.data.n_documents lower, or chunker=tokens."
            )
