"""An answer beside the gold answer, word by word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rag_eval.report.html.budget import beginning, remark
from rag_eval.text.normalize import without_articles
from rag_eval.text.words import UNSPACED

_PIECE = re.compile(rf"\s+|[{UNSPACED}]|[^\s{UNSPACED}]+")


@dataclass(frozen=True)
class Piece:
    """A stretch of an answer."""

    text: str
    is_extra: bool  # its words are not in the gold answer


@dataclass(frozen=True)
class Difference:
    """What an answer has beyond the gold answer, and what it lacks of it."""

    pieces: tuple[Piece, ...]  # together the answer
    missing: tuple[str, ...]  # words of the gold answer, in its order


def difference(answer: str, gold: Sequence[str]) -> Difference:
    """Words of an answer that the nearest gold answer lacks, and the reverse: as bags of normalised words, as token F1 counts them.

    Args:
        answer: of a system.
        gold: answers, any of which is right; the one with most words in common is compared, of several the shortest.

    Returns:
        The answer in pieces; articles and punctuation count as neither. Without gold answers nothing is marked.
    """
    pieces = _PIECE.findall(answer)
    if not gold:
        return Difference((Piece(answer, False),) if answer else (), ())
    words = [without_articles(piece) for piece in pieces]
    wanted = max(map(_words, gold), key=lambda those: (_n_shared(words, those), -len(those)))
    left = Counter(word for word, _ in wanted)
    marked: list[Piece] = []
    for piece, word in zip(pieces, words, strict=True):
        is_extra = word != "" and left[word] == 0
        if word and not is_extra:
            left[word] -= 1
        marked.append(Piece(piece, is_extra if word else bool(marked) and marked[-1].is_extra and piece.isspace()))
    return Difference(_joined(marked), _missing(wanted, left))


def _words(text: str) -> list[tuple[str, str]]:
    """The words of a text, normalised and as they stand."""
    return [(word, piece) for piece in _PIECE.findall(text) if (word := without_articles(piece))]


def _n_shared(words: Sequence[str], wanted: Sequence[tuple[str, str]]) -> int:
    return sum((Counter(words) & Counter(word for word, _ in wanted)).values())


def _missing(wanted: Sequence[tuple[str, str]], left: Counter[str]) -> tuple[str, ...]:
    """Of a word that the answer gives less often than gold, the last ones."""
    found: list[str] = []
    for word, piece in reversed(wanted):
        if left[word] > 0:
            left[word] -= 1
            found.append(piece)
    return tuple(reversed(found))


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Neighbours of one kind together; a space at the end of what is extra is not extra."""
    found: list[Piece] = []
    for at, one in enumerate(pieces):
        is_extra = one.is_extra and not (one.text.isspace() and (at + 1 == len(pieces) or not pieces[at + 1].is_extra))
        if found and found[-1].is_extra == is_extra:
            found[-1] = Piece(found[-1].text + one.text, is_extra)
        else:
            found.append(Piece(one.text, is_extra))
    return tuple(found)


def shortened(pieces: Sequence[Piece], limit: int | None) -> tuple[Piece, ...]:
    """The beginning of an answer that is longer than a limit, with what is left out said.

    Args:
        pieces: of the answer.
        limit: in bytes of UTF-8; None = it is not cut.

    Returns:
        The pieces, or those of the beginning and a remark.
    """
    whole = "".join(one.text for one in pieces)
    left = n_kept = len(beginning(whole, limit))
    found: list[Piece] = []
    for one in pieces:
        if left > 0:
            found.append(Piece(one.text[:left], one.is_extra))
        left -= len(one.text)
    said = remark(whole, n_kept)
    return (*found, Piece(said, False)) if said else tuple(found)
