"""Layout of text as in a rendered page: white space collapses, lines and paragraphs are separated."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_eval.data.formats.file_text import BETWEEN

WHITE = re.compile(r"\s+")


class TextFlow:
    """Text built up piece by piece. Repeated line or paragraph breaks count once, and none is written at the ends."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._border = ""  # break to write before the next text
        self._is_open = False  # whether a space may follow: not at the start of a line or after a space

    @property
    def text(self) -> str:
        """The text, without trailing spaces on lines and with at most one empty line in a row."""
        text = re.sub(r"[^\S\n]+(?=\n|$)", "", "".join(self._parts))
        return re.sub(r"\n{3,}", BETWEEN, text).strip("\n")

    def write(self, text: str) -> None:
        """Add text with white space collapsed to single spaces."""
        folded = WHITE.sub(" ", text)
        folded = folded if self._is_open and not self._border else folded.lstrip()
        if folded:
            self._add(folded)
            self._is_open = folded[-1] != " "

    def keep(self, text: str) -> None:
        """Add text unchanged."""
        if text:
            self._add(text)
            self._is_open = not text[-1].isspace()

    def line(self) -> None:
        """Start a new line before the next text."""
        self._border = self._border or "\n"

    def paragraph(self) -> None:
        """Start a new paragraph before the next text."""
        self._border = BETWEEN

    def row(self, cells: Sequence[str], is_layout: bool) -> None:
        """Add a table row: one line with cells separated by `|`, or separate paragraphs for a layout table.

        Args:
            cells: text of each cell, paragraphs separated by a blank line.
            is_layout: whether some cell contains more than a value: a heading, or a table of several rows.
        """
        is_layout = is_layout or len(cells) == 1
        text = BETWEEN.join(filter(None, cells)) if is_layout else " | ".join(" ".join(cell.split()) for cell in cells)
        if any(cells):
            apart = self.paragraph if "\n" in text else self.line
            apart()
            self.keep(text)
            apart()

    def _add(self, text: str) -> None:
        if self._border and self._parts:
            self._parts.append(self._border)
        self._border = ""
        self._parts.append(text)
