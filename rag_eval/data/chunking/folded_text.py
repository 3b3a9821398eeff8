"""Folded text for searching answers, with a mapping of positions back to the original text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WORD_OR_BLANKS = re.compile(r"\s+|\S+")


@dataclass(frozen=True)
class Folded:
    """A text without differences of case, Unicode composition, white space and invisible characters."""

    text: str
    _starts: Sequence[int]  # starts in `text` of segments that correspond to one segment of the original
    _sources: Sequence[tuple[int, int]]  # those segments; mapped character by character if both have the same length

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Span in the original of text[start:end], which must not be empty."""
        return self._source(start)[0], self._source(end - 1)[1]

    def _source(self, at: int) -> tuple[int, int]:
        number = bisect_right(self._starts, at) - 1
        begin, end = self._sources[number]
        after = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
        offset = at - self._starts[number]
        return (begin + offset, begin + offset + 1) if after - self._starts[number] == end - begin else (begin, end)


def folded(text: str) -> Folded:
    """Fold a text: ß becomes ss, a line end becomes a space, a soft hyphen is removed."""
    parts: list[str] = []
    starts: list[int] = []
    sources: list[tuple[int, int]] = []
    length, is_straight = 0, False
    for part, begin, end in _pieces(text):
        was_straight, is_straight = is_straight, len(part) == end - begin
        if is_straight and was_straight and sources[-1][1] == begin:
            sources[-1] = (sources[-1][0], end)
        elif part:
            starts.append(length)
            sources.append((begin, end))
        parts.append(part)
        length += len(part)
    return Folded("".join(parts), starts, sources)


def _pieces(text: str) -> Iterator[tuple[str, int, int]]:
    """Folded form of each segment of the text, with its span."""
    for found in WORD_OR_BLANKS.finditer(text):
        word, start = found[0], found.start()
        if word.isspace():
            yield " ", start, found.end()
        elif word.isascii() or _is_plain(word):
            yield word.casefold(), start, found.end()
        else:
            yield from ((part, start + begin, start + end) for part, begin, end in _letters(word))


def _is_plain(word: str) -> bool:
    return unicodedata.is_normalized("NFC", word) and len(word.casefold()) == len(word) and not any(map(_is_unseen, word))


def _letters(word: str) -> Iterator[tuple[str, int, int]]:
    """Letters of a word, each with its combining marks."""
    at = 0
    while at < len(word):
        end = at + 1
        while end < len(word) and _joins(word[end]):
            end += 1
        letter = "" if _is_unseen(word[at]) else unicodedata.normalize("NFC", word[at:end]).casefold()
        yield letter, at, end
        at = end


def _joins(character: str) -> bool:
    """Whether a character combines with the one before, or is part of a Korean syllable."""
    return unicodedata.combining(character) != 0 or "\u1160" <= character <= "\u11ff"


def _is_unseen(character: str) -> bool:
    """Whether a character is invisible: joiners, direction marks, soft hyphens, byte order marks, variation selectors."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"
