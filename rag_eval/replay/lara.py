"""Recorded answers in the layout of LaRA (Li et al. 2025, arXiv 2502.09977; github.com/Alibaba-NLP/LaRA, MIT).

A folder of files `<rag|full>_preds_<model>_<length>_<book|financial|paper>_<level>.jsonl`, each line with type, file,
context_order, question, prediction and ground_truth. `rag` answered from retrieved chunks, `full` from the whole text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag_eval.errors import DataError
from rag_eval.replay.answer import Answers, RecordedAnswer

FIELDS = ("type", "file", "context_order", "question", "prediction", "ground_truth")


@dataclass(frozen=True)
class LaraRow:
    """One recorded answer."""

    id: str  # file and number of the question: the same for every model and system
    type: str
    file: str
    question: str
    prediction: str
    gold: str


def lara_answers(path: str, model: str, system: Literal["rag", "full"]) -> Answers:
    """Read the answers of one model.

    Args:
        path: folder of the files.
        model: name of the model in the file names, such as gpt-4o.
        system: `rag` = answered from retrieved chunks, `full` = from the whole text.

    Returns:
        Answers by question id.

    Raises:
        DataError: if there are no such files, or a line is not a row.
    """
    return {row.id: RecordedAnswer(row.prediction) for row in lara_rows(path, system, model)}


def lara_rows(path: str, system: str = "*", model: str = "*") -> Iterator[LaraRow]:
    """Read rows of the files that match, in the order of their names.

    Args:
        path: folder of the files.
        system: `rag` or `full`; "*" = both.
        model: name of the model in the file names; "*" = all.

    Yields:
        Rows.

    Raises:
        DataError: if there are no such files, or a line is not a row.
    """
    files = sorted(Path(path).glob(f"{system}_preds_{model}_*.jsonl"))
    if not files:
        found = sorted({file.name.split("_preds_")[1].split("_")[0] for file in Path(path).glob("*_preds_*.jsonl")})
        raise DataError(f"{path}: no file {system}_preds_{model}_*.jsonl; models there: {', '.join(found) or 'none'}.")
    for file in files:
        for number, line in enumerate(file.read_bytes().splitlines(), start=1):
            yield _row(line, f"{file}:{number}")


def _row(line: bytes, where: str) -> LaraRow:
    try:
        fields: dict[str, Any] = json.loads(line)
        kind, file, order, question, prediction, gold = (fields[name] for name in FIELDS)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where}: expected an object with {', '.join(FIELDS)}, found something else ({error}).") from error
    return LaraRow(f"{file}/{order}", kind, file, question, prediction, gold)
