"""Files to rows that know where they stand. JSON is read strictly: no NaN, no bytes that are not UTF-8."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rag_eval.data.problems import Problems

_BOM = b"\xef\xbb\xbf"


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
    return names.get(type(value), "null")


class _Faulty:
    """Stands for a value that could not be read; null can."""


_FAULTY = _Faulty()


def _content(path: str, problems: Problems) -> bytes:
    """The bytes of a file without a byte order mark; empty, and a problem more, if there are none."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        problems.add(path, f"does not exist (looked in {Path.cwd()}); give the path of an existing file")
    except IsADirectoryError:
        problems.add(path, "is a directory; give the path of a file")
    except OSError as fault:
        problems.add(path, f"cannot be read: {fault.strerror}")
    else:
        if not content:
            problems.add(path, "is empty (0 bytes); expected JSON")
        # Blanks in place of the mark keep byte offsets true.
        return b"   " + content[3:] if content.startswith(_BOM) else content
    return b""


def _parsed(source: bytes, start: int, where: str, is_cut: bool, problems: Problems) -> Any:
    """The JSON value in some bytes that start at an offset of their file; _FAULTY, and a problem more, if there is none."""
    try:
        return _DECODER.decode(source.decode())
    except UnicodeDecodeError as fault:
        problems.add(where, f"byte {start + fault.start} of the file is not UTF-8; re-encode the file as UTF-8")
    except json.JSONDecodeError as fault:
        place = f"column {fault.colno}" if b"\n" not in source else f"line {fault.lineno} column {fault.colno}"
        cut = "; it is the last line and has no end: was the file cut off?" if is_cut else ""
        problems.add(where, f"is broken JSON: {fault.msg} at {place}{cut}")
    except RecursionError:
        problems.add(where, "is nested too deeply")
    except ValueError as fault:
        problems.add(where, f"is not JSON: {fault}")
    return _FAULTY


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError(f"the number {literal} is too large")
    return number


def _refuse(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no number of JSON; write null")


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
