"""Lenient correctness: whether a short answer contains a gold answer, by the example's comparator.

Long answers that list or retell everything are rejected by length. Two cases are not detected: a negation ("not Paris") and a
short list with one right item ("Paris or Rome").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rag_eval.score.comparators import compare, gold_options, is_same_json, option_of, parts, read_json
from rag_eval.score.frames import extracted
from rag_eval.score.holding import found_at, holds, holds_words
from rag_eval.text.abstention import is_abstention
from rag_eval.text.dates import find_dates, read_date
from rag_eval.text.normalize import normalize
from rag_eval.text.words import length
from rag_eval.types import Example

TIMES, MORE = 3, 10  # maximum length of an answer: TIMES * words of the longest gold answer + MORE words
_LETTER = re.compile(
    r"\(([A-Za-z])\)|(?<!\w)([A-Z])\)|^\s*([A-Z])[.:](?=\s|$)"
    r"|\b(?i:option|choice)\s+([A-Z])\b|\b(?i:option|choice|answer)(?:\s+is)?:?\s+([A-Z])(?=\s*(?:$|[.:,;]))",
    re.MULTILINE,
)
_JSON_START = re.compile(r"[{\[]")


def contains_answer(text: str, example: Example) -> float:
    """1.0 if a text contains a gold answer, else 0.0; nan without gold answers.

    - A text that is right by the comparator scores 1, whatever its length.
    - An abstention scores 0.
    - A text longer than 3 times the longest gold answer (or choice) plus 10 words scores 0. Words are separated by white
      space after SQuAD's normalisation, without articles; two characters of a script without spaces count as one word.
    - exact, number, date: a gold answer occurs in the text, numbers and dates compared by value (`holds`). For dates, a gold
      month also matches a day of that month, and 2010-05 is read as a month.
    - set: every item of a gold list occurs in the text.
    - yes_no_maybe: the comparator's result, by the first word.
    - json: the text, or a JSON value in it, equals a gold value.
    - choice: the text names a right option and no other, by its words, by its letter as in "(B)", "B.", "option B", or by
      the answer extracted from its frame (frames.py).

    Args:
        text: answer of the system.
        example: the question with its gold answers and its comparator.

    Returns:
        0.0, 1.0 or nan.

    Raises:
        ValueError: if the comparator is unknown or a gold answer is not of its type.
    """
    score = compare(text, example)
    if score != 0.0 or is_abstention(text) or length(normalize(text)) > _limit(example):
        return score
    return float(_CONTAINS[example.grading.comparator](text, example))


def _limit(example: Example) -> float:
    return TIMES * max(length(normalize(gold)) for gold in (*example.answers, *example.grading.choices)) + MORE


def _any(text: str, example: Example) -> bool:
    return any(holds(text, gold) for gold in example.answers)


def _all_items(text: str, example: Example) -> bool:
    return any(all(holds(text, item) for item in parts(gold)) for gold in example.answers)


def _json(text: str, example: Example) -> bool:
    golds = [json.loads(gold) for gold in example.answers]
    whole = read_json(extracted(text))
    said = [*(whole or ()), *_values(text)]
    return any(is_same_json(one, gold) for one in said for gold in golds)


def _values(text: str) -> Iterator[Any]:
    """JSON objects and lists in a text, without those nested in others."""
    decoder, at = json.JSONDecoder(), 0
    while (start := _JSON_START.search(text, at)) is not None:
        try:
            value, at = decoder.raw_decode(text, start.start())
            yield value
        except (ValueError, RecursionError):
            at = start.end()


def _date(text: str, example: Example) -> bool:
    """`_any`, or a date in the text that agrees with a gold date to the gold date's precision."""
    said = [dates for _, _, dates in find_dates(text)]
    golds = [read_date(gold) for gold in example.answers]
    is_told = any(all(date[: len(gold)] == gold for date in dates) for dates in said for gold in golds if gold)
    return is_told or compare(extracted(text), example) == 1.0 or _any(text, example)


def _one_option(text: str, example: Example) -> bool:
    framed = option_of(extracted(text), example.grading.choices)  # "**B**", "It's B", "B because ..."
    named = _named_options(text, example.grading.choices) | (frozenset() if framed is None else {framed})
    return len(named) == 1 and named <= gold_options(example)


def _named_options(text: str, choices: tuple[str, ...]) -> frozenset[int]:
    """Indices of the options that a text names; an option that occurs only inside another one ("Paris" in "Paris, Texas") is not named."""
    places = {at: found_at(text, option) for at, option in enumerate(choices)}
    everywhere = [place for found in places.values() for place in found]
    named = {at for at, found in places.items() if any(not _is_inside(place, everywhere) for place in found)}
    if any(len(option.strip()) == 1 for option in choices):
        return frozenset(named or {at for at, option in enumerate(choices) if holds_words(text, option)})
    letters = (ord(next(filter(None, found)).lower()) - ord("a") for found in _LETTER.findall(text))
    return frozenset(named | {at for at in letters if at < len(choices)})


def _is_inside(place: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start <= place[0] and place[1] <= end and (start, end) != place for start, end in others)


_CONTAINS: Mapping[str, Callable[[str, Example], bool]] = {
    "exact": _any,
    "number": _any,
    "date": _date,
    "set": _all_items,
    "yes_no_maybe": lambda text, example: False,
    "json": _json,
    "choice": _one_option,
}
