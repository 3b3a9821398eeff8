"""Reader of a whole text file."""

from __future__ import annotations

from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import decoded, file_bytes


def file_text(path: str, expected: str, problems: Problems) -> str:
    """Text of a file, with unchanged line ends and spaces in place of a byte order mark.

    Args:
        path: path of the file.
        expected: expected content, for the message: CSV, XML.
        problems: receives the fault, if any.

    Returns:
        The text; "" with a fault if it cannot be read.
    """
    try:
        return decoded(file_bytes(path, expected))
    except ValueError as fault:
        problems.add(path, str(fault))
        return ""
