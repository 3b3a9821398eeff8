"""Styles of a Word file: whether a run is hidden, superscript or subscript, and whether a paragraph is a heading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docx.oxml.ns import qn

from rag_eval.data.formats.word_xml import attribute, found, values

OFF = ("0", "false", "off")


class Styles:
    """Styles by id."""

    def __init__(self, element: Any) -> None:
        """Index the styles.

        Args:
            element: the element w:styles.
        """
        self._by_id = {attribute(one, "styleId"): one for one in found(element, "w:style")}
        self._default = found(element, "w:docDefaults/w:rPrDefault")

    def is_hidden(self, run: Any) -> bool:
        """Whether a run is hidden, by its own properties or else by its styles."""
        return next(self._said(run, "vanish"), "off") not in OFF

    def level(self, run: Any) -> str:
        """Vertical alignment of a run: superscript, subscript or another value."""
        return next(self._said(run, "vertAlign"), "")

    def is_heading(self, paragraph: Any) -> bool:
        """Whether the style of a paragraph is a title or heading."""
        styles = (self._by_id[id] for id in values(paragraph, "w:pPr/w:pStyle") if id in self._by_id)
        names = [name.lower() for style in styles for name in values(style, "w:name")]
        return any(name == "title" or name.startswith("heading") for name in names)

    def _said(self, run: Any, what: str) -> Iterator[str]:
        """Values of a property in order of precedence."""
        paragraph = next(run.iterancestors(qn("w:p")), run)
        named = [*values(run, "w:rPr/w:rStyle"), *values(paragraph, "w:pPr/w:pStyle")]
        for holder in (run, *(style for id in named for style in self._chain(id)), *self._default):
            yield from values(holder, f"w:rPr/w:{what}")

    def _chain(self, id: str) -> Iterator[Any]:
        """A style and the styles it is based on."""
        seen: set[str] = set()
        while id in self._by_id and id not in seen:
            seen.add(id)
            yield self._by_id[id]
            id = next(iter(values(self._by_id[id], "w:basedOn")), "")
