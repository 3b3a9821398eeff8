"""Test of whether a text has visible characters, as opposed to control characters, white space and bare combining marks."""

from __future__ import annotations

import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zs", "Zl", "Zp", "Mn", "Me"})  # Unicode categories without a visible shape of their own
BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffd")  # fillers, the empty Braille cell, the replacement character


def is_blank(text: str) -> bool:
    """Whether a text has no visible character; true for an empty text."""
    return all(unicodedata.category(one) in UNSEEN or one in BLANK_LETTERS for one in text)
