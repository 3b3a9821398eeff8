"""Restoration of printed text: ligatures are decomposed, words hyphenated at line ends are joined, white space is unified."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

PRESENTED = re.compile("[\ufb00-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]+")  # ligatures and presentation forms
BLANKS = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
LETTERS = r"[^\W\d_]+"  # no possessive quantifiers: Python 3.11.2 matches their groups wrongly
WORD = re.compile(f"{LETTERS}(?:[-\u2010]{LETTERS})*")
CUT = re.compile(rf"(?<![^\W\d_])(?P<head>{WORD.pattern})(?P<hyphen>[-\u2010\u00ad]) ?\n(?P<tail>{LETTERS})")
NUMBER = re.compile(r"(?<=\w[-\u2010]) ?\n(?=\w)")  # a line end after a remaining hyphen
SPACED = frozenset({"and", "or", "und", "oder", "sowie", "bzw"})  # a hyphen before these is a suspended hyphen: Ein- und Ausgang
SELDOM = 0.02  # hyphens per line up to which a file is taken not to hyphenate words at line ends


def as_written(pages: Sequence[str]) -> list[str]:
    """Join words that are hyphenated at line ends; other line ends are kept.

    A hyphen at a line end is removed if a lower-case letter follows. It is kept if the file contains the word with its hyphen
    elsewhere, within a longer compound, after a single letter (e-mail), and in a file with hardly any hyphens at line ends, unless the
    file contains the word without one. Before a capital letter and next to a digit only the line end is removed.

    Args:
        pages: text of each page.

    Returns:
        Restored text of each page.
    """
    unfolded = [BLANKS.sub(" ", PRESENTED.sub(lambda found: unicodedata.normalize("NFKC", found[0]), page)) for page in pages]
    rest, n_cuts = CUT.subn(" ", "\n\n".join(unfolded))
    words = {word.replace("\u2010", "-").lower() for word in WORD.findall(rest)} if n_cuts else set()
    is_cut = n_cuts > SELDOM * sum(page.count("\n") + 1 for page in unfolded)
    joined = [CUT.sub(lambda found: _joined(found, words, is_cut), page) for page in unfolded]
    return [NUMBER.sub("", page).replace("\u00ad", "") for page in joined]


def _joined(found: re.Match[str], words: set[str], is_cut: bool) -> str:
    head, hyphen, tail = found["head"], found["hyphen"], found["tail"]
    if hyphen == "\u00ad":
        return head + tail
    if tail in SPACED:
        return f"{head}{hyphen} {tail}"
    is_compound = not head.isalpha() or f"{head}-{tail}".lower() in words
    is_one_word = f"{head}{tail}".lower() in words or is_cut
    keeps = is_compound or not is_one_word or not tail[0].islower() or len(head) == 1
    return f"{head}{hyphen}{tail}" if keeps else head + tail
