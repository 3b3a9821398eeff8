"""Files of a user's documents to plain text: .txt, .md, .html, .pdf and .docx. A format's library is loaded by its first file.

Not read: images, scanned pages, and headers, footers, notes and comments of Word files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag_eval.data.read import decoded, file_bytes

log = logging.getLogger(__name__)

BETWEEN = "\n\n"  # paragraphs, pages
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend", "li", "main", "ol", "option", "p", "pre",
    "section", "select", "summary", "table", "tbody", "textarea", "tfoot", "thead", "tr", "ul",
})  # fmt: skip
KEPT = ("pre", "textarea")  # blanks in these stand as they are
UNREAD = ("script", "style", "noscript", "template", "head", "nav", "footer")  # of a page; the rest is its text
WRAPPERS = ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "fldSimple")  # of Word, around text
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(?:#{1,6}[ \t]+(?P<marked>.+?)[ \t]*#*|(?P<underlined>\S.*)\n=+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class FileText:
    """What a file says."""

    text: str  # paragraphs with a blank line between
    title: str  # the document's own; "" = it has none
    meta: Mapping[str, Any] = field(default_factory=dict)


def read_file(path: Path) -> FileText:
    """The text of a file whose suffix is in READERS.

    Raises:
        ValueError: saying why it has none and what to do.
    """
    try:
        found = READERS[path.suffix.lower()](path)
    except RecursionError:
        raise ValueError("is nested too deeply; save its text in another format") from None
    if not found.text:
        raise ValueError("holds no text; leave it out of the folder")
    return found


def read_text(path: Path) -> FileText:
    """As it stands; it has no title."""
    return FileText(_plain(path), "", {"format": "text"})


def read_markdown(path: Path) -> FileText:
    """As it stands; its title is the first heading outside of code."""
    text = _plain(path)
    heading = HEADING.search(FENCED.sub("", text))
    return FileText(text, (heading["marked"] or heading["underlined"]).strip() if heading else "", {"format": "markdown"})


def read_html(path: Path) -> FileText:
    """The text of `main`, else of the only `article`, else of the page. Cells of a row have `|` between."""
    from bs4 import BeautifulSoup
    from bs4.dammit import EncodingDetector

    content = file_bytes(str(path), "HTML")
    said = EncodingDetector.find_declared_encoding(content, is_html=True) or "utf-8"
    try:
        source = decoded(content) if said.lower() in ("utf-8", "utf8") else content.decode(said)
    except (UnicodeDecodeError, LookupError):
        raise ValueError(f"is not in {said}, the encoding that it names; re-encode it as UTF-8 and say so in it") from None
    page = BeautifulSoup(source, "html.parser")
    named = next((one for one in page.find_all("title") if one.find_parent("svg") is None), page.h1)
    title = " ".join(named.get_text().split()) if named else ""
    articles = page.find_all("article")
    root = page.main or (articles[0] if len(articles) == 1 else page)
    for tag in root.find_all(UNREAD):
        tag.extract()
    return FileText(_paragraphs("".join(_pieces(root))), title, {"format": "html"})


def read_pdf(path: Path) -> FileText:
    """Pages with a blank line between; `pages` in the meta holds the offset in the text at which each begins."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError

    try:
        with path.open("rb") as file:
            reader = PdfReader(file)
            texts = [_readable(page.extract_text()) for page in reader.pages]
            title = _readable((reader.metadata and reader.metadata.title) or "")
    except OSError as fault:
        raise ValueError(f"cannot be read: {fault.strerror}") from None
    except (DependencyError, FileNotDecryptedError):
        raise ValueError("is encrypted; save it without a password") from None
    except Exception as fault:  # a broken file makes the library fail in any way
        raise ValueError(f"is no PDF that can be read ({type(fault).__name__}: {fault}); open it and save it anew") from fault
    if not any(texts):
        raise ValueError(f"holds no text on its {len(texts)} pages: are they scanned? Recognise the text (OCR) first")
    if not all(texts):
        log.warning("%s: %d of %d pages hold no text and cannot be found; are they scanned?", path, texts.count(""), len(texts))
    starts = [sum(len(text) + len(BETWEEN) for text in texts[:at]) for at in range(len(texts))]
    return FileText(BETWEEN.join(texts), title, {"format": "pdf", "pages": starts})


def read_docx(path: Path) -> FileText:
    """Paragraphs and tables in order; a row of a table is a line, its cells with `|` between. Tracked changes count as accepted."""
    from docx import Document
    from docx.table import Table

    try:
        with path.open("rb") as file:
            document = Document(file)
    except OSError as fault:
        raise ValueError(f"cannot be read: {fault.strerror}") from None
    except Exception as fault:  # what is no Word file fails in many ways
        raise ValueError(f"is no .docx that can be read ({type(fault).__name__}); is it encrypted? Open it and save it anew") from fault
    _unwrap(document.element.body)
    parts = list(document.iter_inner_content())
    headings = [part.text.strip() for part in parts if not isinstance(part, Table) and _is_heading(part)]
    title = document.core_properties.title.strip() or next(filter(None, headings), "")
    texts = [_table(part) if isinstance(part, Table) else part.text.strip() for part in parts]
    return FileText(BETWEEN.join(filter(None, texts)), title, {"format": "docx"})


def _plain(path: Path) -> str:
    text = decoded(file_bytes(str(path), "text"))
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _readable(text: str) -> str:
    """Without what fonts that name no letters leave behind: halves of letters become U+FFFD, NUL goes."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "").replace("\r\n", "\n").strip()


def _pieces(root: Any, is_kept: bool = False) -> Iterator[str]:
    """The text of a page as it stands in the source, blanks run together unless kept, and a blank line at the border of a block."""
    from bs4.element import PreformattedString, Tag

    is_kept = is_kept or root.name in KEPT
    for part in root.children:
        if isinstance(part, PreformattedString):  # a comment or a declaration
            continue
        if not isinstance(part, Tag):
            yield str(part) if is_kept else re.sub(r"\s+", " ", part)
        elif part.name == "br":
            yield "\n"
        elif part.name == "tr":
            cells = [" ".join("".join(_pieces(cell)).split()) for cell in part.find_all(("td", "th"), recursive=False)]
            yield f"\n{' | '.join(cells)}\n"
        elif part.name in BLOCKS:
            yield BETWEEN
            yield from _pieces(part, is_kept)
            yield BETWEEN
        else:
            yield from _pieces(part, is_kept)


def _paragraphs(text: str) -> str:
    """Lines without blanks at their ends, never more than one empty line between."""
    lines = "\n".join(line.strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", BETWEEN, lines).strip()


def _unwrap(body: Any) -> None:
    """Puts what stands in content controls, insertions and the like where these stand: the library reads direct children alone."""
    for wrapper in body.xpath(" | ".join(f".//w:{name}" for name in WRAPPERS)):
        for part in list(wrapper):
            wrapper.addprevious(part)
        wrapper.getparent().remove(wrapper)


def _is_heading(paragraph: Any) -> bool:
    style = str(paragraph.style.name if paragraph.style is not None else "").lower()
    return style == "title" or style.startswith("heading")


def _table(table: Any) -> str:
    """A merged cell stands once."""
    rows = []
    for row in table.rows:
        cells = dict.fromkeys(cell._tc for cell in row.cells)
        texts = {cell._tc: " ".join(_cell(cell).split()) for cell in row.cells}
        rows.append(" | ".join(texts[one] for one in cells))
    return "\n".join(row for row in rows if row.strip(" |"))


def _cell(cell: Any) -> str:
    from docx.table import Table

    return " ".join(_table(part) if isinstance(part, Table) else part.text for part in cell.iter_inner_content())


READERS: Mapping[str, Callable[[Path], FileText]] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
}
