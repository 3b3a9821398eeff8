"""Format compliance: whether an answer has the format that its question demands, decided by a parser."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from rag_eval.score.answer import answer_text
from rag_eval.score.comparators import items, read_json
from rag_eval.score.metric import Declaration, declares
from rag_eval.text.dates import read_dates
from rag_eval.text.quantity import INTEGER, NUMBER, read_quantity
from rag_eval.types import Example, Prediction


@declares(Declaration(label="form as demanded", judges="all"))
def format_ok(prediction: Prediction, example: Example) -> float:
    """1.0 if the answer has the demanded format, else 0.0, regardless of correctness.

    Args:
        prediction: answer of the system.
        example: the question; `grading.format` names the format.

    Returns:
        0.0 or 1.0; 0.0 for an error; nan if the question demands no format.

    Raises:
        ValueError: if the format is unknown.
    """
    return float(obeys(answer_text(prediction), example.grading.format)) if example.grading.format else math.nan


def obeys(text: str, format: str) -> bool:
    """Whether a text, stripped of white space, has one of `FORMATS`. An empty text has none.

    Args:
        text: answer of the system.
        format: key of `FORMATS`.

    Returns:
        True if the text has the format.

    Raises:
        ValueError: if the format is unknown.
    """
    if not isinstance(format, str) or format not in FORMATS:
        raise ValueError(f"format is {format!r}; expected one of {', '.join(FORMATS)}.")
    return bool(text.strip()) and FORMATS[format](text.strip())


def _is_quantity(text: str) -> bool:
    found = read_quantity(text)
    return found is not None and found.kind != ""


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "json": lambda text: read_json(text) is not None,
    "integer": lambda text: re.fullmatch(INTEGER, text) is not None,
    "number": lambda text: re.fullmatch(NUMBER, text) is not None,
    "number_with_unit": _is_quantity,
    "date": lambda text: bool(read_dates(text)),
    "one_line": lambda text: len(text.splitlines()) == 1,
    "list": lambda text: len(items(text)) >= 2,
}
