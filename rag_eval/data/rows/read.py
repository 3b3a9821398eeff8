"""Readers of files to rows that carry their place in the file. JSON is strict: no NaN, and UTF-8 only."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rag_eval.data.rows.problems import Problems, repeated, shown

_BOM = b"\xef\xbb\xbf"
_NO_TEXT = {  # first bytes of files that are not UTF-8 text
    b"\xff\xfe": "is UTF-16; re-encode it as UTF-8",
    b"\xfe\xff": "is UTF-16; re-encode it as UTF-8",
    b"\x1f\x8b": "is compressed; unpack it",
    b"PK\x03\x04": "is a zip or Office file; unpack it, or export its text",
}


@dataclass(frozen=True)
class Row:
    """One object of a file."""

    where: str  # "questions.jsonl:7"
    fields: dict[str, Any]


def read_jsonl(path: str, problems: Problems) -> list[Row]:
    """Objects of a JSON lines file, in order. Blank lines are skipped.

    Args:
        path: path of the file.
        problems: receives the faulty lines.

    Returns:
        One row per object.
    """
    rows = []
    content = _content(path, problems)
    start = 0
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            is_cut = start + len(line) == len(content)
            value = _parsed(line, start, f"{path}:{number}", is_cut, problems)
            if isinstance(value, dict):
                rows.append(Row(f"{path}:{number}", value))
            elif value is not _FAULTY:
                problems.add(f"{path}:{number}", f"is not an object: expected one JSON object a line, found {kind(value)}")
        start += len(line) + 1
    return rows


def read_json(path: str, problems: Problems) -> Any:
    """Value of a JSON file; None if there is a fault, which is added to the problems."""
    content = _content(path, problems)
    value = _parsed(content, 0, path, False, problems) if content else _FAULTY
    return None if value is _FAULTY else value


def kind(value: Any) -> str:
    """Name of the JSON type of a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), f"of the type {type(value).__name__}")


class _Faulty:
    """Type of the marker for an unreadable value, which is distinct from null."""


_FAULTY = _Faulty()


def file_bytes(path: str, expected: str = "JSON") -> bytes:
    """Bytes of a UTF-8 text file, with a byte order mark replaced by spaces so that offsets are unchanged.

    Args:
        path: path of the file.
        expected: expected content, for the error message.

    Returns:
        The content.

    Raises:
        ValueError: if the file cannot be read, is empty or is not text.
    """
    content = raw_bytes(path, expected)
    for start, what in _NO_TEXT.items():
        if content.startswith(start):
            raise ValueError(f"{what}; expected {expected}")
    return b"   " + content[3:] if content.startswith(_BOM) else content


def raw_bytes(path: str, expected: str) -> bytes:
    """Bytes of a non-empty file.

    Args:
        path: path of the file.
        expected: expected content, for the error message.

    Returns:
        The content.

    Raises:
        ValueError: if the file cannot be read or is empty.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"does not exist (looked in {Path.cwd()}); give the path of an existing file") from None
    except IsADirectoryError:
        raise ValueError("is a directory; give the path of a file") from None
    except OSError as fault:
        raise ValueError(f"cannot be read: {fault.strerror}") from None
    if not content:
        raise ValueError(f"is empty (0 bytes); expected {expected}")
    return content


def decoded(source: bytes, start: int = 0) -> str:
    """Decode UTF-8.

    Args:
        source: bytes.
        start: offset of the bytes in their file, for the error message.

    Returns:
        The text.

    Raises:
        ValueError: naming the byte that is not UTF-8.
    """
    try:
        return source.decode()
    except UnicodeDecodeError as fault:
        raise ValueError(f"byte {start + fault.start} of the file is not UTF-8; re-encode the file as UTF-8") from None


def strict_json(text: str) -> Any:
    """Parse JSON strictly: no NaN or infinity, and no repeated names in an object.

    Args:
        text: JSON text.

    Returns:
        The value.

    Raises:
        ValueError: with the reason and place.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno} column {fault.colno}" if "\n" in text else f"column {fault.colno}"
        raise ValueError(f"is broken JSON: {fault.msg} at {place}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except _NoJson as fault:
        raise ValueError(f"is not JSON: {fault}") from None


def _content(path: str, problems: Problems) -> bytes:
    """Bytes of a file; b"" with a fault if they cannot be read."""
    try:
        return file_bytes(path)
    except ValueError as fault:
        problems.add(path, str(fault))
        return b""


def _parsed(source: bytes, start: int, where: str, is_cut: bool, problems: Problems) -> Any:
    """JSON value of bytes that start at an offset of their file; `_FAULTY` with a fault if they are not JSON."""
    try:
        return strict_json(decoded(source, start))
    except ValueError as fault:
        is_broken = "broken" in str(fault)
        problems.add(where, f"{fault}; it is the last line and has no end: was the file cut off?" if is_cut and is_broken else str(fault))
    return _FAULTY


class _NoJson(ValueError):
    """A number that Python's parser accepts and JSON does not allow."""


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise _NoJson(f"the number {literal} is too large")
    return number


def _refuse(literal: str) -> NoReturn:
    raise _NoJson(f"{literal} is no number of JSON; write null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Object whose names are unique; Python would keep the last of two values.

    Args:
        pairs: names and values in order.

    Returns:
        The object.

    Raises:
        ValueError: if a name is repeated.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = repeated(name for name, _ in pairs)[0]
        raise ValueError(f"has the name {shown(twice)} more than once in one object; leave one")
    return found


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once)
