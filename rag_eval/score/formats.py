"""Does an answer have the form that its question demands? Decided by a parser, never by looking for signs of the form."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from rag_eval.score.answer import answer_text
from rag_eval.score.comparators import items, read_json
from rag_eval.score.dates import read_dates
from rag_eval.score.metric import Declaration, declares
from rag_eval.score.quantity import INTEGER, NUMBER, read_quantity
from rag_eval.types import Example, Prediction


@declares(Declaration(label="form as demanded", judges="all"))
def format_ok(prediction: Prediction, example: Example) -> float:
    """1.0 if the answer has the form that the question demands, else 0.0, so for an error; nan where none is demanded.

    Whether the answer is right does not matter.
    """
    return float(obeys(answer_text(prediction), example.grading.format)) if example.grading.format else math.nan


def obeys(text: str, format: str) -> bool:
    """Whether the text, spaces around it aside, has a form of FORMATS; nothing said has none.

    Raises:
        ValueError: if there is no such form.
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
