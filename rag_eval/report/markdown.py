"""Tables as Markdown. Texts in reports are inert: nothing in them is markup, a control character or a link."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rag_eval.report.table import Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]#!|~$])")
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)  # where GitHub sees that an address of a page begins


def inert(text: object) -> str:
    """One line without control and direction characters: safe in a terminal."""
    return "".join(" " if c in "\n\r\t" else c for c in str(text) if c in "\n\r\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def escape(text: object) -> str:
    """Text as Markdown shows it literally: no markup, no HTML, no link to a page, no new table cell."""
    html = inert(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ADDRESS.sub(r"\\", _SPECIAL.sub(r"\\\1", html))


def as_markdown(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """The whole file; every text in it is inert."""
    parts = [f"# {escape(title)}", "\n".join(f"- {escape(note)}" for note in notes)]
    return "\n\n".join([*parts, *map(markdown_of, tables)]) + "\n"


def markdown_of(table: Table) -> str:
    """One table: its title, its rows, how to read it above them."""
    shown = table.shown("everywhere", "where it fits")
    header, *rows = table.texts(shown)
    edges = "|" + "|".join(" ---: " if table.columns[at].is_right else " --- " for at in shown) + "|"
    lines = [_line(header), edges, *map(_line, rows)]
    title = f"## {escape(table.title)}" if table.title else ""
    return "\n\n".join(part for part in (title, escape(table.reading), "\n".join(lines)) if part)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape, cells)) + " |"
