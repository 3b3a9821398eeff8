"""Readers of questions as JSON lines, CSV, TSV or Parquet, with the fields described in rag_eval/data/sources/jsonl.py.

In a CSV or TSV file cells are text, and an empty cell is a missing field; several `answers` or `evidence` are separated by `|` or
given as a JSON list; `unanswerable` and `retrieval_only` are true or false; `history` and `meta` are JSON. In Parquet null is a
missing field, `history` and `meta` may be JSON, and answers may have any type that typed_values.py converts to text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Features
from pyarrow import ArrowException, BufferReader, parquet

from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, file_bytes, read_jsonl, strict_json
from rag_eval.data.rows.read_csv import read_csv
from rag_eval.data.rows.typed_values import as_text, named

REQUIRED = ("id", "question")
SEVERAL = ("answers", "evidence")
NESTED = ("history", "meta")
MARKS = ("unanswerable", "retrieval_only")
FLAGS = {"true": True, "false": False}
FIELDS = (*REQUIRED, *SEVERAL, *NESTED, *MARKS, "cluster", "split")


def read_questions(path: str, problems: Problems) -> list[Row]:
    """Rows of a file in order. The suffix selects the format: .csv, .tsv, .parquet, anything else is JSON lines."""
    reader = {".csv": read_csv_questions, ".tsv": read_csv_questions, ".parquet": read_parquet_questions}.get(
        Path(path).suffix.lower(), read_jsonl
    )
    return reader(path, problems)


def read_csv_questions(path: str, problems: Problems) -> list[Row]:
    """Rows of a CSV or TSV file with a header; the place of a row is the line in which it begins."""
    rows = read_csv(path, REQUIRED, problems)
    return [one for row in rows for one in _row(row.where, _from_cells(row.fields), problems)]


def read_parquet_questions(path: str, problems: Problems) -> list[Row]:
    """Rows of a Parquet file; the place of a row is its number from 1."""
    try:
        names, values = _parquet(file_bytes(path, "Parquet"))
    except (ArrowException, OSError, UnicodeDecodeError) as fault:
        problems.add(path, f"is broken Parquet: {shown(str(fault))}; write it again")
        return []
    except ValueError as fault:
        problems.add(path, str(fault))
        return []
    if missing := [name for name in REQUIRED if name not in names]:
        found = ", ".join(map(shown, names[:20]))
        problems.add(path, f"lacks the columns {', '.join(missing)}; found {found}. Rename them, or name them to dataset=hub")
        return []
    if problems.has_repeated(path, names):
        return []
    rows = enumerate(values, start=1)
    return [one for number, fields in rows for one in _row(f"{path}:{number}", _without_nulls(fields), problems)]


def _parquet(content: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    """Column names and rows. Single-threaded, because Arrow threads that outlive a faulty file abort the process at exit."""
    table = parquet.ParquetFile(BufferReader(content), pre_buffer=False).read(use_threads=False)
    table.validate(full=True)
    try:
        features: Mapping[str, Any] = Features.from_arrow_schema(table.schema)
    except (NotImplementedError, TypeError, ValueError):  # a type that `datasets` does not support
        features = {}
    rows = table.to_pylist()
    return table.column_names, [{name: named(value, features.get(name)) for name, value in row.items()} for row in rows]


def _from_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: cell for name, cell in cells.items() if cell or name in REQUIRED}
    for name in SEVERAL:
        cell = fields.get(name, "")
        if "|" in cell and not cell.lstrip().startswith("["):
            fields[name] = [part.strip() for part in cell.split("|")]
    for name in MARKS:
        if name in fields:
            fields[name] = FLAGS.get(fields[name].strip().lower(), fields[name])
    return fields


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that are not null; in a struct such as `meta` every row has the keys of all rows."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {name: _without_nulls(value) if isinstance(value, dict) else value for name, value in given.items()}


def _row(where: str, fields: dict[str, Any], problems: Problems) -> list[Row]:
    """The row with JSON cells parsed and answers as text; [] with a fault if a known field is not valid JSON."""
    for name in (*SEVERAL, *NESTED):
        value = fields.get(name)
        try:
            if isinstance(value, str) and (name in NESTED or value.lstrip().startswith("[")):
                fields[name] = strict_json(value)
        except ValueError as fault:
            problems.add(where, f"{name}: {fault}" + ("; an answer that begins with [ stands in a JSON list" if name in SEVERAL else ""))
            return []
    if "answers" in fields:
        fields["answers"] = _texts(fields["answers"])
    try:
        json.dumps({name: fields[name] for name in FIELDS if name in fields}, allow_nan=False)
    except (TypeError, ValueError) as fault:
        problems.add(where, f"holds what JSON has not: {fault}")
        return []
    return [Row(where, fields)]


def _texts(value: Any) -> Any:
    return [as_text(one) for one in value] if isinstance(value, list) else as_text(value)
