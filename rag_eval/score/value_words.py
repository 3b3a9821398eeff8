"""Tokenizer that assigns values to numbers and dates, so that "1,200 mg" can be found in "1.2 g daily".

A number is digits with thousands separators and a decimal point (neither 137 nor 3.7 contains 37), with million and the
like, a currency before and a known unit after it, or a number in words (number_words.py); "one" is not a number in "no one" and
"one of them". Numbers joined to others (10-37, 3/4, 12:37, 1.2.37) or to letters (37th, B12, 1990s) are words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rag_eval.text.dates import Date, find_dates
from rag_eval.text.money import SHORT_SCALES
from rag_eval.text.normalize import without_punctuation
from rag_eval.text.number_words import SCALES, VOCABULARY, read_number_words
from rag_eval.text.quantity import CURRENCY, NUMBER, Unit, known_unit, value_of
from rag_eval.text.words import MARKS, UNSPACED, even

_ARTICLES = frozenset({"a", "an", "the"})
_BEFORE_NO_COUNT = frozenset({"no", "any", "every", "some", "each", "this", "that", "which", "another"})  # "no one"
_AFTER_NO_COUNT = frozenset({"of", "another", "who", "that", "or"})  # "one of them"
_LONGEST = 12  # maximum length of a number in words


def _pieces(glyph: str) -> re.Pattern[str]:
    """Pattern of the tokens of a text, for a pattern of one letter or digit of scripts with spaces."""
    return re.compile(
        rf"(?:(?P<currency>{CURRENCY})\s?)?(?P<digits>[+\-−]?\.?(?=[0-9]){glyph}+"
        rf"(?:[\-–—/:.,'’]{glyph}+|[\u00a0\u2009\u202f][0-9]{{3}}(?!{glyph}))*)"
        rf"|(?P<sign>[%‰°$€£¥₹₩₽₺₪₫₦฿]{glyph}*)"
        rf"|(?P<rate>(?<=[0-9] ){glyph}+(?:/{glyph}+)+)"
        rf"|(?P<word>{glyph}+(?:[.'’&\-‐‑]{glyph}+)*)"
        rf"|(?P<unspaced>[{UNSPACED}][{MARKS}]*)"
    )


_OF_ASCII, _OF_ALL = _pieces(r"[^\W_]"), _pieces(rf"(?:(?![{UNSPACED}])[^\W_][{MARKS}]*)")
_LEADING = re.compile(NUMBER)
_UNIT = re.compile(r"[^\W\d_]+(?:/[^\W\d_]+)*")  # without a space after its number
_PARTED = re.compile(r"(?:[\-–—.,][^\W\d_]+)+")  # 37-year-old
_POSSESSIVE = re.compile(r"['’]s$")
_DASHES = str.maketrans(dict.fromkeys("–—", "-"))


@dataclass(frozen=True)
class Word:
    """A word, or a number with its value."""

    text: str  # normalised: lower case, no punctuation
    start: int  # in characters
    end: int  # exclusive
    number: float | None = None  # value, multiplied by million and the like
    unit: Unit | None = None  # unit of a number, if known
    n_unit: int = 0  # number of following words that are its unit; 0 for a currency before it
    dates: frozenset[Date] = frozenset()  # readings of the date that begins here
    n_date: int = 0  # length of the date in words


@lru_cache(maxsize=2048)
def value_words(text: str) -> tuple[Word, ...]:
    """Words of a text in order, without articles. Cached."""
    plain = even(text)
    pieces = (_OF_ASCII if plain.isascii() else _OF_ALL).finditer(plain)
    words = list(_counted([word for piece in pieces for word in _words(piece) if word.text not in _ARTICLES]))
    words = [_measured(words, at, plain) for at in range(len(words))]
    place = {word.start: at for at, word in enumerate(words)}
    for start, end, dates in find_dates(plain):
        if start in place:
            at = place[start]
            words[at] = replace(words[at], dates=dates, n_date=sum(start <= word.start < end for word in words[at:]))
    return tuple(words)


def _words(piece: re.Match[str]) -> Iterator[Word]:
    match piece.lastgroup:
        case "digits":
            yield from _number(piece)
        case "word" if all(part in VOCABULARY for part in piece[0].lower().split("-")):
            yield from _parts(piece[0], piece.start())
        case "word":
            plain = without_punctuation(_POSSESSIVE.sub("", piece[0])).replace("’", "")
            yield Word(plain, piece.start(), piece.end())
        case _:
            yield Word(piece[0].lower(), piece.start(), piece.end())


def _number(piece: re.Match[str]) -> Iterator[Word]:
    """A number and the words joined to it, or a word that contains digits."""
    text, start = piece["digits"], piece.start("digits")
    lead = _LEADING.match(text)
    rest = text[lead.end() :] if lead else ""
    is_measured = _UNIT.fullmatch(rest) and (known_unit(rest.partition("/")[0]) or rest.lower() in SCALES.keys() | SHORT_SCALES.keys())
    is_decade = rest == "s" and "." not in text and len(text) in (3, 5)
    if lead is None or is_decade or (rest and not is_measured and not _PARTED.fullmatch(rest)):
        yield Word("".join(piece[0].lower().split()).translate(_DASHES), piece.start(), piece.end())
        return
    currency = known_unit(piece["currency"]) if piece["currency"] else None
    yield Word(lead[0], piece.start(), start + lead.end(), value_of(lead[0]), currency)
    yield from _parts(rest, start + lead.end())


def _parts(text: str, start: int) -> Iterator[Word]:
    for part in re.finditer(r"[^\W\d_]+(?:/[^\W\d_]+)*", text):
        yield Word(part[0].lower(), start + part.start(), start + part.end())


def _counted(words: Sequence[Word]) -> Iterator[Word]:
    """The words with numbers in words, and digits followed by million and the like, merged into one word each."""
    at = 0
    while at < len(words):
        word, n = words[at], 1
        following = words[at + 1].text if at + 1 < len(words) else ""
        if word.number is not None:
            factor = SCALES.get(following) or (SHORT_SCALES.get(following) if word.unit else None)
            if factor:
                word, n = replace(word, number=word.number * factor, end=words[at + 1].end), 2
        elif word.text in VOCABULARY and (found := read_number_words([one.text for one in words[at : at + _LONGEST]])):
            before = words[at - 1].text if at else ""
            if word.text != "one" or not (before in _BEFORE_NO_COUNT or following in _AFTER_NO_COUNT):
                word, n = replace(word, number=found[0], end=words[at + found[1] - 1].end), found[1]
        yield word
        at += n


def _measured(words: Sequence[Word], at: int, plain: str) -> Word:
    """The number at an index with the unit named by the next two words or the next one."""
    word = words[at]
    for n in (2, 1) if word.number is not None and word.unit is None else ():
        named = words[at + 1 : at + 1 + n]
        is_next = len(named) == n and not plain[word.end : named[0].start].strip(" \u00a0\u2009\u202f-")
        if is_next and (unit := known_unit(" ".join(plain[named[0].start : named[-1].end].split()))):
            return replace(word, unit=unit, n_unit=n)
    return word
