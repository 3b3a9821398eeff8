"""Files to rows that know where they stand. JSON is read strictly: no NaN, no bytes that are not UTF-8."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rag_eval.data.problems import Problems, repeated, shown

_BOM = b"\xef\xbb\xbf"
_NO_TEXT = {  # first bytes of files that are taken for text
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
    """The objects of a JSON lines file, in order. Faulty lines are added to the problems; blank ones are passed over."""
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
    """The value of a JSON file; None if there is a fault, which is added to the problems."""
    content = _content(path, problems)
    value = _parsed(content, 0, path, False, problems) if content else _FAULTY
    return None if value is _FAULTY else value


def kind(value: Any) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), f"of the type {type(value).__name__}")


class _Faulty:
    """Stands for a value that could not be read; null can."""


_FAULTY = _Faulty()


def file_bytes(path: str, expected: str = "JSON") -> bytes:
    """The bytes of a text file, with blanks for a byte order mark, so that offsets stay true.

    Raises:
        ValueError: saying why there are none, or why they are no text.
    """
    content = raw_bytes(path, expected)
    for start, what in _NO_TEXT.items():
        if content.startswith(start):
            raise ValueError(f"{what}; expected {expected}")
    return b"   " + content[3:] if content.startswith(_BOM) else content


def raw_bytes(path: str, expected: str) -> bytes:
    """The bytes of a file that is not empty.

    Raises:
        ValueError: saying why there are none.
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
    """Bytes that start at an offset of their file, as text.

    Raises:
        ValueError: saying which byte is not UTF-8.
    """
    try:
        return source.decode()
    except UnicodeDecodeError as fault:
        raise ValueError(f"byte {start + fault.start} of the file is not UTF-8; re-encode the file as UTF-8") from None


def strict_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: saying why it is none.
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
    """The bytes of a file; empty, and a problem more, if there are none."""
    try:
        return file_bytes(path)
    except ValueError as fault:
        problems.add(path, str(fault))
        return b""


def _parsed(source: bytes, start: int, where: str, is_cut: bool, problems: Problems) -> Any:
    """The JSON value in some bytes that start at an offset of their file; _FAULTY, and a problem more, if there is none."""
    try:
        return strict_json(decoded(source, start))
    except ValueError as fault:
        is_broken = "broken" in str(fault)
        problems.add(where, f"{fault}; it is the last line and has no end: was the file cut off?" if is_cut and is_broken else str(fault))
    return _FAULTY


class _NoJson(ValueError):
    """A number that Python reads and JSON does not have."""


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise _NoJson(f"the number {literal} is too large")
    return number


def _refuse(literal: str) -> NoReturn:
    raise _NoJson(f"{literal} is no number of JSON; write null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object each of whose names stands once: of two values Python would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = repeated(name for name, _ in pairs)[0]
        raise ValueError(f"has the name {shown(twice)} more than once in one object; leave one")
    return found


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once)
