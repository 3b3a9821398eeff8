"""Text as a page shows it: blanks run together, lines and paragraphs stand apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_eval.data.formats.file_text import BETWEEN

WHITE = re.compile(r"\s+")


class TextFlow:
    """Grows by what is written. A border of a line or a paragraph is one border however often it is set, and none at the ends."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._border = ""  # due before what is written next
        self._is_open = False  # whether a blank written next is one: not at the start of a line, not after a blank

    @property
    def text(self) -> str:
        """Lines without blanks at their ends, never more than one empty line between."""
        text = re.sub(r"[^\S\n]+(?=\n|$)", "", "".join(self._parts))
        return re.sub(r"\n{3,}", BETWEEN, text).strip("\n")

    def write(self, text: str) -> None:
        """Add text whose blanks and line ends are one blank each."""
        folded = WHITE.sub(" ", text)
        folded = folded if self._is_open and not self._border else folded.lstrip()
        if folded:
            self._add(folded)
            self._is_open = folded[-1] != " "

    def keep(self, text: str) -> None:
        """Add text as it stands."""
        if text:
            self._add(text)
            self._is_open = not text[-1].isspace()

    def line(self) -> None:
        """What comes next begins a line."""
        self._border = self._border or "\n"

    def paragraph(self) -> None:
        """What comes next begins a paragraph."""
        self._border = BETWEEN

    def row(self, cells: Sequence[str], is_layout: bool) -> None:
        """Add a row of a table: a line, its cells with `|` between; where the table only arranges paragraphs, these.

        Args:
            cells: the text of each, paragraphs with a blank line between.
            is_layout: whether some cell holds more than a value: a heading, or a table of several rows.
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
