"""Does a short answer contain a right one? By the example's comparator, and not where the answer lists or retells everything.

What no rule here sees: a denial ("not Paris"), and a short list of which one item is right ("Paris or Rome").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rag_eval.score.abstention import is_abstention
from rag_eval.score.comparators import compare, gold_options, is_same_json, option_of, parts, read_json
from rag_eval.score.dates import find_dates, read_date
from rag_eval.score.frames import extracted
from rag_eval.score.holding import found_at, holds, holds_words
from rag_eval.score.normal_form import normalize
from rag_eval.score.words import length
from rag_eval.types import Example

TIMES, MORE = 3, 10  # an answer may be so many times as long as the longest gold answer, and have so many words more
_LETTER = re.compile(
    r"\(([A-Za-z])\)|(?<!\w)([A-Z])\)|^\s*([A-Z])[.:](?=\s|$)"
    r"|\b(?i:option|choice)\s+([A-Z])\b|\b(?i:option|choice|answer)(?:\s+is)?:?\s+([A-Z])(?=\s*(?:$|[.:,;]))",
    re.MULTILINE,
)
_JSON_START = re.compile(r"[{\[]")


def contains_answer(text: str, example: Example) -> float:
    """1.0 if a text contains a right answer, else 0.0; nan without gold answers.

    - An answer that is right by the comparator contains itself, whatever its length.
    - One that says that the answer is not known contains none.
    - One longer than three times the longest gold answer and ten words contains none. Words are what stands between white
      space after SQuAD's normalisation, articles left out; two characters of a script without spaces are one word.
    - exact, number, date: an answer stands in the text, numbers and dates by value (`holds`). Where dates are asked for, a day is in
      its month too, and 2010-05 is a month.
    - set: every item of a gold list stands in the text.
    - yes_no_maybe: as the comparator has it, by the first word.
    - json: the text, or the JSON in it, is equal to a gold value.
    - choice: the text names a right option and no other, by its words or by its letter as in "(B)", "B.", "option B" or
      what its frame holds.

    Args:
        text: what was said.
        example: the question, with its gold answers and its comparator.

    Raises:
        ValueError: if there is no such comparator or a gold answer is not of its type.
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
    """The objects and lists of JSON that stand in a text, those inside others left out."""
    decoder, at = json.JSONDecoder(), 0
    while (start := _JSON_START.search(text, at)) is not None:
        try:
            value, at = decoder.raw_decode(text, start.start())
            yield value
        except (ValueError, RecursionError):
            at = start.end()


def _date(text: str, example: Example) -> bool:
    """As _any, and where the text tells the day of a month that is asked for, or either as 2010-05."""
    said = [dates for _, _, dates in find_dates(text)]
    golds = [read_date(gold) for gold in example.answers]
    is_told = any(all(date[: len(gold)] == gold for date in dates) for dates in said for gold in golds if gold)
    return is_told or compare(extracted(text), example) == 1.0 or _any(text, example)


def _one_option(text: str, example: Example) -> bool:
    framed = option_of(extracted(text), example.grading.choices)  # "**B**", "It's B", "B because ..."
    named = _named_options(text, example.grading.choices) | (frozenset() if framed is None else {framed})
    return len(named) == 1 and named <= gold_options(example)


def _named_options(text: str, choices: tuple[str, ...]) -> frozenset[int]:
    """Which options a text names; one whose words stand only inside those of another ("Paris" in "Paris, Texas") is not named."""
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
