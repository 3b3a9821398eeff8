"""Texts of models and documents in a page: what a reader cannot see, or what would turn the text around it, is written out."""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"  # of Persian, Indic scripts and emoji: they shape the letters beside them and hide nothing
_PLAIN = re.compile(r"[ -~\n]*")
_NOT_ID = re.compile(r"[^A-Za-z0-9_-]+")


def visible(text: object) -> str:
    """Text whose control and direction characters are written out, as ␛ or [U+202E]; line ends stay.

    Args:
        text: anything.

    Returns:
        Text without control, format and surrogate characters, line and paragraph separators included. It is not escaped.
    """
    plain = str(text).replace("\r\n", "\n")
    return plain if _PLAIN.fullmatch(plain) else "".join(map(_shown, plain))


def _shown(one: str) -> str:
    if one == "\n" or one in JOINERS or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return one
    code = ord(one)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"[U+{code:04X}]"


def element_id(text: str, prefix: str = "") -> str:
    """A name that can be the id of an element and the end of a link.

    Args:
        text: what is named.
        prefix: of all such names of one kind.

    Returns:
        The name, of letters, digits, "-" and "_".
    """
    return f"{prefix}{_NOT_ID.sub('-', text).strip('-')}"
