"""Tables as plain data for JSON: unrounded; null = not measured, or a bound that does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag_eval.record.serialize import null_where_not_finite
from rag_eval.report.table import Cell, Figure, Table, Term


def as_json(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """Each table with its header and its rows as lists."""
    return [
        {
            "title": one.title,
            "reading": one.reading,
            "header": [column.name for column in one.columns],
            "rows": [list(map(_plain, row)) for row in one.rows],
        }
        for one in tables
    ]


def by_key(table: Table) -> dict[str, Any]:
    """The titles of the columns of numbers, and each row as a mapping, all by the keys of the columns."""
    keys = [column.name for column in table.columns]
    return {
        "columns": {column.name: column.title for column in table.columns if column.kind != "text"},
        "rows": [dict(zip(keys, map(_plain, row), strict=True)) for row in table.rows],
    }


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Term):
        return cell.key
    if not isinstance(cell, Figure):
        return cell
    return null_where_not_finite({name: value for name, value in vars(cell).items() if name != "rounding"})
