"""Text of PDF files. Images are not read; pages without text, such as scanned ones, are counted in a warning."""

from __future__ import annotations

import logging
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError

from rag_eval.data.formats.file_text import BETWEEN, FileText
from rag_eval.data.formats.printed import as_written
from rag_eval.data.rows.visible import is_blank

log = logging.getLogger(__name__)


def read_pdf(path: Path) -> FileText:
    """Read the pages of a PDF file, separated by a blank line.

    Args:
        path: path of the file.

    Returns:
        Text and title; `pages` in the meta has the offset in the text at which each page begins.

    Raises:
        ValueError: if the file cannot be read, is encrypted, is not a PDF or has no text.
    """
    try:
        with path.open("rb") as file:
            reader = PdfReader(file)
            pages = as_written([_readable(page.extract_text()) for page in reader.pages])
            (title,) = as_written([_readable((reader.metadata and reader.metadata.title) or "")])
    except OSError as fault:
        raise ValueError(f"cannot be read: {fault.strerror}") from None
    except (DependencyError, FileNotDecryptedError):
        raise ValueError("is encrypted; save it without a password") from None
    except Exception as fault:  # pypdf raises various exceptions for broken files
        raise ValueError(f"is no PDF that can be read ({type(fault).__name__}: {fault}); open it and save it anew") from fault
    texts = ["" if is_blank(page) else page.strip() for page in pages]
    if not any(texts):
        raise ValueError(f"holds no text on its {len(texts)} pages: are they scanned? Recognise the text (OCR) first")
    if not all(texts):
        log.warning("%s: %d of %d pages hold no text and cannot be found; are they scanned?", path, texts.count(""), len(texts))
    starts = [sum(len(text) + len(BETWEEN) for text in texts[:at]) for at in range(len(texts))]
    return FileText(BETWEEN.join(texts), title, {"format": "pdf", "pages": starts})


def _readable(text: str) -> str:
    """Text without artefacts of fonts that lack a character mapping: lone surrogates become U+FFFD, NUL is removed."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "").replace("\r\n", "\n").strip()
