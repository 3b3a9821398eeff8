"""Text extraction from files of a user's documents: .txt, .md, .html, .pdf and .docx. Format libraries are imported on first use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rag_eval.data.formats.file_text import FileText
from rag_eval.data.rows.read import decoded, file_bytes
from rag_eval.data.rows.visible import is_blank

FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(?:#{1,6}[ \t]+(?P<marked>.+?)[ \t]*#*|(?P<underlined>\S.*)\n=+)[ \t]*$", re.MULTILINE)


def read_file(path: Path) -> FileText:
    """Read the text of a file whose suffix is in `READERS`.

    Args:
        path: path of the file.

    Returns:
        Text and title; the title is "" if it is blank.

    Raises:
        ValueError: if the file is nested too deeply, has no text or cannot be read; the message says what to do.
    """
    try:
        found = READERS[path.suffix.lower()](path)
    except RecursionError:
        raise ValueError("is nested too deeply; save its text in another format") from None
    if is_blank(found.text):
        raise ValueError("holds no text; leave it out of the folder")
    return replace(found, title="") if is_blank(found.title) else found


def read_text(path: Path) -> FileText:
    """Read a plain text file; it has no title."""
    return FileText(_plain(path), "", {"format": "text"})


def read_markdown(path: Path) -> FileText:
    """Read a Markdown file unchanged; the title is the first heading outside of code blocks."""
    text = _plain(path)
    heading = HEADING.search(FENCED.sub("", text))
    return FileText(text, (heading["marked"] or heading["underlined"]).strip() if heading else "", {"format": "markdown"})


def _html(path: Path) -> FileText:
    from rag_eval.data.formats.html_page import read_html

    return read_html(path)


def _pdf(path: Path) -> FileText:
    from rag_eval.data.formats.pdf import read_pdf

    return read_pdf(path)


def _docx(path: Path) -> FileText:
    from rag_eval.data.formats.word import read_docx

    return read_docx(path)


def _plain(path: Path) -> str:
    text = decoded(file_bytes(str(path), "text"))
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


READERS: Mapping[str, Callable[[Path], FileText]] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _docx,
}
