"""A whole text file, or the word among the problems why there is none."""

from __future__ import annotations

from rag_eval.data.problems import Problems
from rag_eval.data.read import decoded, file_bytes


def file_text(path: str, expected: str, problems: Problems) -> str:
    """The text of a file, line ends untouched, blanks for a byte order mark; empty, and a problem more, if there is none.

    Args:
        path: of the file.
        expected: what it should hold, for the message: CSV, XML.
        problems: gets what is wrong.
    """
    try:
        return decoded(file_bytes(path, expected))
    except ValueError as fault:
        problems.add(path, str(fault))
        return ""
