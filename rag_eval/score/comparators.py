"""When two texts are the same answer: by their words, or by what they mean where the question's grading says of which type they are.

A text must be the answer and nothing else, except after yes, no or maybe; one that is not of the type is wrong.
Every comparator gives nan without gold answers, and raises ValueError for a gold answer that is not of its type.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rag_eval.score.abstention import is_abstention
from rag_eval.score.dates import Date, read_date, read_dates
from rag_eval.score.normal_form import exact_match, normalize
from rag_eval.score.quantity import Quantity, read_quantity
from rag_eval.score.words import words
from rag_eval.types import Example

_SEPARATOR = re.compile(r"\s+and\s+|[;\n]|,(?!(?<=[0-9],)[0-9]{3}(?![0-9]))", re.IGNORECASE)  # the comma of 1,200 parts nothing
_LETTER = re.compile(r"\(?([a-z])(?:[).:]*|[).:]+\s*(\S.*))", re.IGNORECASE | re.DOTALL)  # B, B., (b), B) and the option

Said = TypeVar("Said")
Gold = TypeVar("Gold")


def compare(text: str, example: Example) -> float:
    """1.0 if the text is an answer by the example's comparator (`exact` if it names none), 0.0 if not, nan without answers.

    Raises:
        ValueError: if there is no such comparator or a gold answer is not of its type.
    """
    name = example.grading.comparator
    if name not in COMPARATORS:
        raise ValueError(f"{example.id}: comparator is {name!r}; expected one of {', '.join(COMPARATORS)}.")
    return COMPARATORS[name](text, example)


def exact(text: str, example: Example) -> float:
    """Equal after SQuAD's normalisation."""
    return exact_match(text, example.answers)


def number(text: str, example: Example) -> float:
    """Equal numbers with units of one kind: "1,200 mg" is "1.2 g"; without a unit that gold has it is wrong."""
    return _compare(text, example, read_quantity, read_quantity, Quantity.equals, "one number, with its unit if it has one")


def date(text: str, example: Example) -> float:
    """The same date, to the precision of gold: "5 March 1994" is right for "1994", "1994" is wrong for "5 March 1994".

    A text of two meanings (05/03/1994) is right only if both are, as for a gold of the year alone.
    """
    return _compare(text, example, lambda said: read_dates(said) or None, read_date, _agree, "one date of one meaning, such as 1994-03-05")


def unordered(text: str, example: Example) -> float:
    """The same items in any order, each as often; every gold answer is one full list."""
    return _compare(text, example, _counted, _counted, Counter.__eq__, "a list of items")


def yes_no_maybe(text: str, example: Example) -> float:
    """The same first word, which must be yes, no or maybe; "No information is given" says none of them."""
    return _compare(text, example, _verdict, _verdict, str.__eq__, "yes, no or maybe")


def json_value(text: str, example: Example) -> float:
    """Equal JSON values, texts in them after SQuAD's normalisation; true is no number; a text that is no JSON is wrong."""
    return _compare(text, example, read_json, read_json, is_same_json, "JSON")


def choice(text: str, example: Example) -> float:
    """The same option of the question's choices, by its text, its letter (B, B., (b)) or both (B) text)."""
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


OF_FEW = ("choice", "yes_no_maybe")  # comparators of answers that are one of few


def items(text: str) -> list[str]:
    """The normalised items of a list, separated by commas, semicolons, line breaks or "and"."""
    return list(map(normalize, parts(text)))


def parts(text: str) -> list[str]:
    """The items of a list as they stand; those without a word ("." after the last comma) are left out unless all are."""
    found = [item.strip() for item in _SEPARATOR.split(text) if item.strip()]
    return [item for item in found if words(item)] or found


def is_forced(example: Example) -> bool:
    """Whether an answer must be one of few, so that whoever knows nothing is right now and then."""
    return bool(example.grading.choices) or example.grading.comparator in OF_FEW


def option_of(text: str, choices: Sequence[str]) -> int | None:
    """Which option a text names, from 0: by its text, else by its letter; a letter with another option's text names none."""
    if (named := _option_by_text(text, choices)) is not None:
        return named
    found = _LETTER.fullmatch(text.strip())
    at = ord(found[1].lower()) - ord("a") if found else len(choices)
    if not found or at >= len(choices):
        return None
    return at if found[2] is None or _option_by_text(found[2], choices) == at else None


def gold_options(example: Example) -> frozenset[int]:
    """Which options are right, from 0; none for an unanswerable question.

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
    """The value of a text that is JSON by RFC 8259, which knows neither NaN nor infinity; in a tuple, because null is a value as well."""
    try:
        return (json.loads(text, parse_constant=_refuse),)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def is_same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, texts after SQuAD's normalisation."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    """The value with its texts normalised and its true and false told from 1 and 0, which Python takes for equal."""
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
    """Letter for letter, else by the one option that is equal after normalisation."""
    if text.strip() in choices:
        return list(choices).index(text.strip())
    equal = [at for at, option in enumerate(choices) if exact_match(text, [option])]
    return equal[0] if len(equal) == 1 else None
