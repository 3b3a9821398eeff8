"""Whether a text that is trained on, or tried meanwhile, fits the positions of the model: none is cut in silence."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.errors import DataError
from rag_eval.parts import Row, Trainable

N_ADDED = 2  # a begin token and the end token, which stand in no text


def fits(row: Row, generator: Trainable) -> bool:
    """Whether the model reads the whole row at once, with a begin and an end token around it."""
    limit = generator.n_positions
    # A token stands for a byte at least: most texts are short enough without being counted.
    return limit is None or len(row.whole.text.encode()) + N_ADDED <= limit or generator.count_row_tokens([row])[0] <= limit


def check_length(rows: Sequence[Row], generator: Trainable) -> None:
    """Refuse a row that the model cannot read at once.

    Raises:
        DataError: naming the first one.
    """
    for row in rows:
        if not fits(row, generator):
            n = generator.count_row_tokens([row])[0]
            raise DataError(
                f"the row of {row.source} {row.id!r} has {n} tokens, more than the {generator.n_positions} positions of "
                f"{generator.model}. Show it fewer or shorter passages: set adapter.data.n_documents lower, or chunker=tokens."
            )
