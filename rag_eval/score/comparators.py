"""Comparators: equality of a text and a gold answer, by words or by type (number, date, set, yes/no/maybe, JSON, choice).

The text must consist of the answer only, except for `yes_no_maybe`; a text that is not of the type scores 0.
Every comparator returns nan without gold answers and raises ValueError for a gold answer that is not of its type.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rag_eval.text.abstention import is_abstention
from rag_eval.text.dates import Date, read_date, read_dates
from rag_eval.text.normalize import exact_match, normalize
from rag_eval.text.quantity import Quantity, read_quantity
from rag_eval.text.words import words
from rag_eval.types import Example

_SEPARATOR = re.compile(r"\s+and\s+|[;\n]|,(?!(?<=[0-9],)[0-9]{3}(?![0-9]))", re.IGNORECASE)  # the comma of 1,200 parts nothing
_LETTER = re.compile(r"\(?([a-z])(?:[).:]*|[).:]+\s*(\S.*))", re.IGNORECASE | re.DOTALL)  # B, B., (b), B) and the option

Said = TypeVar("Said")
Gold = TypeVar("Gold")


def compare(text: str, example: Example) -> float:
    """Score a text with the comparator of the example (`exact` by default).

    Args:
        text: answer of the system.
        example: the question with its gold answers.

    Returns:
        1.0 if the text equals a gold answer, else 0.0; nan without gold answers.

    Raises:
        ValueError: if the comparator is unknown or a gold answer is not of its type.
    """
    name = example.grading.comparator
    if name not in COMPARATORS:
        raise ValueError(f"{example.id}: comparator is {name!r}; expected one of {', '.join(COMPARATORS)}.")
    return COMPARATORS[name](text, example)


def exact(text: str, example: Example) -> float:
    """Equality after SQuAD's normalisation."""
    return exact_match(text, example.answers)


def number(text: str, example: Example) -> float:
    """Equality of numbers with compatible units: "1,200 mg" equals "1.2 g". A missing unit that the gold answer has is wrong."""
    return _compare(text, example, read_quantity, read_quantity, Quantity.equals, "one number, with its unit if it has one")


def date(text: str, example: Example) -> float:
    """Equality of dates to the precision of the gold answer: "5 March 1994" matches "1994", but "1994" does not match "5 March 1994".

    An ambiguous text (05/03/1994) is right only if every reading matches, as for a gold answer that is a year.

    Args:
        text: answer of the system.
        example: the question with its gold answers.

    Returns:
        0.0, 1.0 or nan.
    """
    return _compare(text, example, lambda said: read_dates(said) or None, read_date, _agree, "one date of one meaning, such as 1994-03-05")


def unordered(text: str, example: Example) -> float:
    """Equality of lists as multisets; every gold answer is one complete list."""
    return _compare(text, example, _counted, _counted, Counter.__eq__, "a list of items")


def yes_no_maybe(text: str, example: Example) -> float:
    """Equality of the first word, which must be yes, no or maybe. An abstention such as "No information is given" scores 0."""
    return _compare(text, example, _verdict, _verdict, str.__eq__, "yes, no or maybe")


def json_value(text: str, example: Example) -> float:
    """Equality of JSON values, strings after SQuAD's normalisation. true differs from 1; a text that is not JSON scores 0."""
    return _compare(text, example, read_json, read_json, is_same_json, "JSON")


def choice(text: str, example: Example) -> float:
    """Equality of the named option: by its text, by its letter (B, B., (b)) or by both (B) text)."""
    right = gold_options(example)
    return float(option_of(text, example.grading.choices) in right) if right else math.nan


COMPARATORS: Mapping[str, Callable[[str, Example], float]] = {
    "exact": exact,
    "number": number,
    "date": date,
    "set": unordered,
    "yes_no_maybe": yes_no_maybe,
    "json": json_value,
    "choice": choice,
}


OF_FEW = ("choice", "yes_no_maybe")  # comparators with a small fixed set of answers


def items(text: str) -> list[str]:
    """Normalised items of a list, separated by commas, semicolons, line breaks or "and"."""
    return list(map(normalize, parts(text)))


def parts(text: str) -> list[str]:
    """Items of a list without normalisation; items without a word ("." after the last comma) are dropped unless all are."""
    found = [item.strip() for item in _SEPARATOR.split(text) if item.strip()]
    return [item for item in found if words(item)] or found


def is_forced(example: Example) -> bool:
    """Whether the answer comes from a small fixed set, so that chance accuracy is above 0."""
    return bool(example.grading.choices) or example.grading.comparator in OF_FEW


def option_of(text: str, choices: Sequence[str]) -> int | None:
    """Index (from 0) of the option that a text names, by its text or else its letter; None if a letter comes with another option's text."""
    if (named := _option_by_text(text, choices)) is not None:
        return named
    found = _LETTER.fullmatch(text.strip())
    at = ord(found[1].lower()) - ord("a") if found else len(choices)
    if not found or at >= len(choices):
        return None
    return at if found[2] is None or _option_by_text(found[2], choices) == at else None


def gold_options(example: Example) -> frozenset[int]:
    """Indices (from 0) of the right options; empty for an unanswerable question.

    Args:
        example: the question with its choices and gold answers.

    Returns:
        Indices into `example.grading.choices`.

    Raises:
        ValueError: if a gold answer names no option.
    """
    return frozenset(
        _gold(lambda gold: option_of(gold, example.grading.choices), answer, example, "one of its choices") for answer in example.answers
    )


def _compare(
    text: str,
    example: Example,
    read: Callable[[str], Said | None],
    read_gold: Callable[[str], Gold | None],
    agree: Callable[[Said, Gold], bool],
    expected: str,
) -> float:
    golds = [_gold(read_gold, answer, example, expected) for answer in example.answers]
    said = read(text)
    return max((float(said is not None and agree(said, gold)) for gold in golds), default=math.nan)


def _gold(read: Callable[[str], Gold | None], answer: str, example: Example, expected: str) -> Gold:
    gold = read(answer)
    if gold is None:
        raise ValueError(f"{example.id}: the gold answer {answer!r} must be {expected}; mend it, or the comparator of its meta.")
    return gold


def _agree(said: frozenset[Date], gold: Date) -> bool:
    return all(date[: len(gold)] == gold for date in said)


def _counted(text: str) -> Counter[str] | None:
    return Counter(items(text)) or None


def read_json(text: str) -> tuple[Any] | None:
    """Value of a text that is JSON by RFC 8259 (no NaN or infinity), in a 1-tuple because null is a valid value; None if it is not JSON."""
    try:
        return (json.loads(text, parse_constant=_refuse),)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def is_same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, strings after SQuAD's normalisation."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    """The value with normalised strings, and booleans wrapped in a tuple because True == 1 in Python."""
    match value:
        case str():
            return normalize(value)
        case bool():
            return (value,)
        case list() | tuple():
            return [_plain(one) for one in value]
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case _:
            return value


def _verdict(text: str) -> str | None:
    first = next(iter(words(text)), "")
    return first if first in {"yes", "no", "maybe"} and not is_abstention(text) else None


def _option_by_text(text: str, choices: Sequence[str]) -> int | None:
    """Index of the option that is identical to the text, or else of the only one that is equal after normalisation."""
    if text.strip() in choices:
        return list(choices).index(text.strip())
    equal = [at for at, option in enumerate(choices) if exact_match(text, [option])]
    return equal[0] if len(equal) == 1 else None
