"""Texts in reports are inert: nothing in them is markup, a control character or a link."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = re.compile(r"([\\`*_{}\[\]#!|~$])")


def inert(text: object) -> str:
    """One line without control and direction characters: safe in a terminal."""
    return "".join(" " if c in "\n\r\t" else c for c in str(text) if c in "\n\r\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def escape(text: object) -> str:
    """Text as Markdown shows it literally: no markup, no HTML, no link, no new table cell."""
    html = inert(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", html)
