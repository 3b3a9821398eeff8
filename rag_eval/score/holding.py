"""Whether a text contains an answer as contiguous words, with numbers and dates compared by value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from rag_eval.score.value_words import Word, value_words
from rag_eval.text.money import is_same_currency
from rag_eval.text.normalize import normalize, without_articles
from rag_eval.text.words import folded, segments

_NO_LETTER = re.compile(r"[\W_]+")


def holds_words(text: str, answer: str) -> bool:
    """Whether the words of an answer occur contiguously in a text, after SQuAD's normalisation.

    In scripts without spaces each character is a word. An answer that is empty without articles and punctuation ("A", "+") must
    occur literally and case-sensitively, because nearly every text contains articles.

    Args:
        text: text to search.
        answer: gold answer.

    Returns:
        True if the answer occurs.
    """
    wanted = segments(without_articles(answer))
    return f" {' '.join(wanted)} " in f" {' '.join(segments(normalize(text)))} " if wanted else _stands_in(answer.strip(), text)


def holds(text: str, answer: str) -> bool:
    """Whether a text contains an answer: like `holds_words`, but numbers and dates match by value.

    - A number matches one of the same value, with compatible units if the answer has a unit: "1,200 mg" occurs in
      "1.2 g daily". An answer without a unit matches a number with any unit except percent: "37" occurs in "37 years" but not
      in "37 %".
    - A date matches another to the precision of the answer; a year alone matches every date of that year.
    - The possessive 's is ignored, and slashes, dashes and the like separate words like spaces.

    Args:
        text: text to search.
        answer: gold answer.

    Returns:
        True if the answer occurs.
    """
    return any(found_at(text, answer)) or (not _has_values(answer) and holds_words(text, answer))


def found_at(text: str, answer: str) -> list[tuple[int, int]]:
    """Spans of a text that match an answer by value: index of the first word and of the word after the last, by `value_words`."""
    wanted = value_words(answer)
    said = value_words(text) if wanted and _has_letters_of(text, wanted) else ()
    ends = ((at, _end(said, at, wanted)) for at in range(len(said)))
    return [(at, end) for at, end in ends if end is not None]


def _has_letters_of(text: str, wanted: Sequence[Word]) -> bool:
    """Whether the words before the first number or date occur among the letters of a text: a cheap necessary condition."""
    valued = next((at for at, word in enumerate(wanted) if word.number is not None or word.dates), len(wanted))
    letters = _letters(text)
    return all(_letters(word.text) in letters for word in wanted[:valued])


@lru_cache(maxsize=2048)
def _letters(text: str) -> str:
    return _NO_LETTER.sub("", folded(text))


def _has_values(answer: str) -> bool:
    return any(word.number is not None or word.dates or any(map(str.isdigit, word.text)) for word in value_words(answer))


def _stands_in(answer: str, text: str) -> bool:
    before, after = (r"(?<!\w)" if answer[:1].isalnum() else ""), (r"(?!\w)" if answer[-1:].isalnum() else "")
    return bool(answer) and re.search(before + re.escape(answer) + after, text) is not None


def _end(said: Sequence[Word], at: int, wanted: Sequence[Word]) -> int | None:
    """Index after the words that match the wanted ones, starting at a word; None if they do not match."""
    if not wanted:
        return at
    if at >= len(said):
        return None
    one, gold = said[at], wanted[0]
    if gold.dates and one.dates and all(date[: len(true)] == true for date in one.dates for true in gold.dates):
        return _end(said, at + one.n_date, wanted[gold.n_date :])
    if _is_equal(one, gold):
        return _end(said, at + 1 + one.n_unit, wanted[1 + gold.n_unit :])
    return _end(said, at + 1, wanted[1:]) if _is_same(one, gold) else None


def _is_same(one: Word, gold: Word) -> bool:
    """Whether two words match without their units."""
    if gold.number is None:
        return one.number is None and one.text == gold.text
    if one.number is None:
        is_year = gold.unit is None and one.n_date == 1
        return is_year and all(date[0] == gold.number for date in one.dates)
    has_unit_before = gold.unit is not None and gold.n_unit == 0
    return not has_unit_before and _is_percent(one) == _is_percent(gold) and _is_close(one.number, gold.number)


def _is_equal(one: Word, gold: Word) -> bool:
    """Whether two words are numbers with compatible units and equal values."""
    if one.number is None or gold.number is None or one.unit is None or gold.unit is None:
        return False
    return is_same_currency(one.unit[0], gold.unit[0]) and _is_close(one.number * one.unit[1], gold.number * gold.unit[1])


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9)


def _is_percent(word: Word) -> bool:
    return word.unit is not None and word.unit[0] == "percent"
