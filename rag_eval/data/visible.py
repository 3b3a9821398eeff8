"""Whether a text shows anything. Control characters, blanks and marks without a shape of their own do not."""

from __future__ import annotations

import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zs", "Zl", "Zp", "Mn", "Me"})  # Unicode categories; a mark needs a letter to stand on
BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffd")  # fillers, the empty Braille cell, the sign for what is no text


def is_blank(text: str) -> bool:
    """Whether no character of a text has a shape; so of an empty one."""
    return all(unicodedata.category(one) in UNSEEN or one in BLANK_LETTERS for one in text)
