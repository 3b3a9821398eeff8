"""Questions of LaRA (Li et al. 2025) with their gold answers, from a folder of recorded predictions. There is no corpus."""

from __future__ import annotations

from rag_eval.errors import DataError
from rag_eval.fingerprint import fingerprint
from rag_eval.replay.lara import LaraRow, lara_rows
from rag_eval.types import Example, QADataset


def lara(path: str) -> QADataset:
    """Read every question answered by some model of the folder; questions about one text are one cluster.

    Args:
        path: the folder.

    Returns:
        The dataset; all questions are for testing.

    Raises:
        DataError: if there are no such files, or two of them disagree about a question.
    """
    rows: dict[str, LaraRow] = {}
    for row in lara_rows(path):
        first = rows.setdefault(row.id, row)
        if (first.question, first.gold, first.type) != (row.question, row.gold, row.type):
            raise DataError(f"{path}: files disagree about the question or the gold answer of {row.id!r}. Give files of one release.")
    test = tuple(Example(row.id, row.question, (row.gold,), cluster=f"{row.type}/{row.file}") for row in rows.values())
    return QADataset("lara", fingerprint((), (), (), test), (), (), (), test)
