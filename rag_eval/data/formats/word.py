"""Text of Word files as Word displays and prints it, with tracked changes accepted.

Also read are text boxes (after the paragraph they are anchored to), equations on one line, and footnotes and endnotes at the end.
Headers and footers with words, comments, charts, embedded objects and characters of symbol fonts are not read but counted in a
warning. List numbers and images are not read.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from docx import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.table import Table

from rag_eval.data.formats.file_text import BETWEEN, FileText
from rag_eval.data.formats.raised import lowered, plain, raised, unmarked
from rag_eval.data.formats.text_flow import TextFlow
from rag_eval.data.formats.word_math import equation_text
from rag_eval.data.formats.word_styles import Styles
from rag_eval.data.formats.word_xml import attribute, found, name_of

log = logging.getLogger(__name__)

WRAPPERS = ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "fldSimple")  # elements that wrap text
GONE = frozenset({"del", "moveFrom", "Fallback"})  # removed elements; Fallback duplicates a text box for older readers
UNREAD = frozenset({"rPr", "pPr", "sectPr", "instrText", "delText", "rubyPr"})
SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
LEVELS = {"superscript": raised, "subscript": lowered}
NOTES = {"footnoteReference": RELATIONSHIP_TYPE.FOOTNOTES, "endnoteReference": RELATIONSHIP_TYPE.ENDNOTES}
MARGINS = (RELATIONSHIP_TYPE.HEADER, RELATIONSHIP_TYPE.FOOTER)
OBJECTS = frozenset({"chart", "relIds", "OLEObject", "altChunk"})
GREEK = dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True)) | dict(
    zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)
)
SYMBOLS = GREEK | dict(zip(range(0xA2, 0xBD), "′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…", strict=True))  # characters of the font Symbol by code


def read_docx(path: Path) -> FileText:
    """Read paragraphs and tables in order; a table row is one line with cells separated by `|`.

    Args:
        path: path of the file.

    Returns:
        Text and title.

    Raises:
        ValueError: if the file cannot be read or is not a .docx file.
    """
    try:
        with path.open("rb") as file:
            document = Document(file)
    except OSError as fault:
        raise ValueError(f"cannot be read: {fault.strerror}") from None
    except Exception as fault:  # python-docx raises various exceptions for other files
        raise ValueError(f"is no .docx that can be read ({type(fault).__name__}); is it encrypted? Open it and save it anew") from fault
    reader = Reader(document)
    text = BETWEEN.join(filter(None, map(plain, [*reader.blocks(_unwrapped(document.element.body)), *reader.notes()])))
    title = _own_title(document) or next((plain(one) for one in reader.headings), "")
    if reader.unread:
        log.warning("%s: not read are %s.", path, ", ".join(f"{n} {what}" for what, n in sorted(reader.unread.items())))
    return FileText(text, title, {"format": "docx"})


def _own_title(document: Any) -> str:
    """Title in the file's properties; without properties python-docx would return "Word Document"."""
    has_properties = any(one.reltype == RELATIONSHIP_TYPE.CORE_PROPERTIES for one in document.part.package.rels.values())
    return str(document.core_properties.title).strip() if has_properties else ""


class Reader:
    """Reads the parts of one file; the state of fields and notes is kept across paragraphs."""

    def __init__(self, document: Any) -> None:
        self.headings: list[str] = []  # headings read so far
        self._document = document
        self._styles = Styles(document.styles.element)
        self._fields: list[bool] = []  # for each open field, whether its instruction has not ended
        self._notes: list[tuple[str, Any]] = []  # mark and content of the notes referenced so far
        self._counted: Counter[str] = Counter()

    def blocks(self, container: Any) -> list[str]:
        """Paragraphs and tables of a body, a cell, a text box or a note."""
        texts: list[str] = []
        begun = ""  # text of a paragraph whose end mark was deleted
        for block in container:
            if name_of(block) == "tbl":
                texts.append(self._table(block))
            elif name_of(block) == "p":
                text, boxes = self._paragraph(block)
                text, begun = begun + text, ""
                if found(block, "w:pPr/w:rPr/w:del"):
                    text, begun = "", text
                if self._styles.is_heading(block) and text.strip():
                    self.headings.append(text.strip())
                texts += [text.strip(), *boxes]
            elif name_of(block) in OBJECTS:
                self._counted["charts and embedded objects"] += 1
        return list(filter(None, (*texts, begun.strip())))

    def notes(self) -> Iterator[str]:
        """Referenced notes in order; they may reference further notes."""
        at = 0
        while at < len(self._notes):
            sign, content = self._notes[at]
            at += 1
            yield f"{sign} {' '.join(self.blocks(_unwrapped(content)))}".strip()

    @property
    def unread(self) -> Mapping[str, int]:
        """Number of items of the file that are not read, by kind."""
        parts = [one for one in self._document.part.rels.values() if not one.is_external]
        comments = [_content(one.target_part) for one in parts if one.reltype == RELATIONSHIP_TYPE.COMMENTS]
        margins = [_content(one.target_part) for one in parts if one.reltype in MARGINS]
        counted = self._counted + Counter({"comments": sum(len(found(one, "w:comment")) for one in comments)})
        counted["headers and footers"] += sum(any(map(str.isalpha, "".join(one.itertext("{*}t", with_tail=False)))) for one in margins)
        return +counted

    def _table(self, element: Any) -> str:
        """Text of a table; a merged cell appears once in each of its rows."""
        flow = TextFlow()
        texts: dict[Any, str] = {}
        n_headings = len(self.headings)
        for row in Table(element, self._document).rows:
            cells = list(dict.fromkeys(cell._tc for cell in row.cells))
            texts |= {cell: BETWEEN.join(self.blocks(cell)) for cell in cells if cell not in texts}
            has_tables = any(len(found(inner, "w:tr")) > 1 for cell in cells for inner in found(cell, "w:tbl"))
            flow.row([texts[cell] for cell in cells], has_tables or len(self.headings) > n_headings)
            n_headings = len(self.headings)
        return flow.text

    def _paragraph(self, element: Any) -> tuple[str, list[str]]:
        """Text of a paragraph, and the paragraphs of the text boxes anchored to it."""
        pieces: list[tuple[str, str]] = []
        boxes: list[str] = []
        self._walk(element, "", pieces, boxes)
        levels = ((level, "".join(text for _, text in group)) for level, group in groupby(pieces, key=lambda piece: piece[0]))
        return "".join(LEVELS[level](text) if level in LEVELS else text for level, text in levels), boxes

    def _walk(self, parent: Any, level: str, pieces: list[tuple[str, str]], boxes: list[str]) -> None:
        for node in parent:
            name = name_of(node)
            if name == "r" and not self._styles.is_hidden(node):
                self._walk(node, self._styles.level(node), pieces, boxes)
            elif name == "txbxContent":
                boxes += self.blocks(node)
            elif name == "fldChar":
                self._field(node)
            elif (text := self._text(name, node)) is not None:
                pieces.append((level, "" if any(self._fields) else text))
            elif name not in UNREAD and name != "r":
                self._walk(node, level, pieces, boxes)

    def _text(self, name: str, node: Any) -> str | None:
        """Text of a leaf element; None for an element with children to visit."""
        if name == "t":
            return unmarked(node.text or "").replace("\u00ad", "")
        if name == "oMath":
            return equation_text(node)
        if name == "ruby":
            base, reading = (
                "".join(one.itertext("{*}t", with_tail=False)) for part in ("rubyBase", "rt") for one in found(node, f"w:{part}")
            )
            return f"{base}({reading})" if reading else base
        if name == "sym":
            return self._symbol(node)
        if name in NOTES:
            return self._note(name, node)
        if name in OBJECTS:
            self._counted["charts and embedded objects"] += 1
            return ""
        return SIGNS.get(name)

    def _field(self, node: Any) -> None:
        """Track fields: the part between begin and separator is the instruction, not the result."""
        kind = attribute(node, "fldCharType")
        if kind == "begin":
            self._fields.append(True)
        elif kind == "separate" and self._fields:
            self._fields[-1] = False
        elif kind == "end" and self._fields:
            self._fields.pop()

    def _symbol(self, node: Any) -> str:
        code = int(attribute(node, "char") or "0", 16)
        if not 0xF000 <= code <= 0xF0FF:
            return chr(code)
        if attribute(node, "font") == "Symbol" and code - 0xF000 in SYMBOLS:
            return SYMBOLS[code - 0xF000]
        self._counted["signs of symbol fonts"] += 1
        return "\ufffd"

    def _note(self, kind: str, node: Any) -> str:
        """Mark of a note reference; the note's content is stored for the end."""
        related = [one.target_part for one in self._document.part.rels.values() if one.reltype == NOTES[kind]]
        id = attribute(node, "id")
        content = next((one for part in related for one in _content(part) if attribute(one, "id") == id), None)
        if content is None:
            return ""
        has_own_sign = attribute(node, "customMarkFollows") in ("1", "true", "on")
        sign = "" if has_own_sign else f"[{1 + sum(bool(sign) for sign, _ in self._notes)}]"
        self._notes.append((sign, content))
        return sign


def _unwrapped(container: Any) -> Any:
    """The container without deleted content, and with content controls, insertions and the like replaced by their content."""
    for gone in list(filter(_is_gone, container.iter())):
        gone.getparent().remove(gone)
    for wrapper in [one for one in container.iter() if name_of(one) in WRAPPERS]:
        for part in list(wrapper):
            wrapper.addprevious(part)
        wrapper.getparent().remove(wrapper)
    return container


def _is_gone(node: Any) -> bool:
    if name_of(node) == "tr":
        return bool(found(node, "w:trPr/w:del"))
    return name_of(node) in GONE and not name_of(node.getparent()).endswith("Pr")  # in properties it refers to the paragraph's end mark


def _content(part: Any) -> Any:
    return part.element if hasattr(part, "element") else parse_xml(part.blob)
