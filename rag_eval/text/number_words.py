"""Parser of whole numbers in English words: "three", "twenty-one", "two hundred and five", "three million".

Not parsed: ordinals, fractions, years in two halves ("nineteen ninety-four"), "hundred", "dozen" or "million" without a count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_BELOW_TWENTY = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_UNITS = {word: at for at, word in enumerate(_BELOW_TWENTY)}
_TENS = {word: 10 * at for at, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2)}
SCALES: Mapping[str, float] = {"thousand": 1e3, "lakh": 1e5, "million": 1e6, "crore": 1e7, "billion": 1e9, "trillion": 1e12}
VOCABULARY = frozenset({*_UNITS, *_TENS, "hundred", *SCALES})

Found = tuple[float, int]  # the number and its length in words


def read_number_words(words: Sequence[str]) -> Found | None:
    """Number at the beginning of a sequence of words, scales in decreasing order.

    Args:
        words: in lower case, "twenty-one" as two words.

    Returns:
        The number and its length in words; None if the sequence does not begin with a number.
    """
    total, n_read, largest = 0.0, 0, math.inf
    while (found := _below_thousand(words[_after_and(words, n_read) :])) is not None:
        value, n_more = found
        end = _after_and(words, n_read) + n_more
        scale = SCALES.get(words[end], 1.0) if end < len(words) else 1.0
        if scale >= largest:
            break
        total, n_read, largest = total + value * scale, end + (scale > 1), scale
    return (total, n_read) if n_read else None


def _below_thousand(words: Sequence[str]) -> Found | None:
    head = _below_hundred(words)
    if head is None or words[head[1] : head[1] + 1] != ["hundred"]:
        return head
    start = _after_and(words, head[1] + 1)
    tail = _below_hundred(words[start:])
    return (head[0] * 100 + tail[0], start + tail[1]) if tail else (head[0] * 100, head[1] + 1)


def _below_hundred(words: Sequence[str]) -> Found | None:
    first, second = (*words[:2], "", "")[:2]
    if first in _TENS:
        return (_TENS[first] + _UNITS[second], 2) if 1 <= _UNITS.get(second, 0) <= 9 else (_TENS[first], 1)
    return (_UNITS[first], 1) if first in _UNITS else None


def _after_and(words: Sequence[str], at: int) -> int:
    """Index after the "and" of "two hundred and five"."""
    return at + 1 if at and words[at : at + 1] == ["and"] else at
