"""What a source's own fields must hold before they are renamed to those that `validate` checks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rag_eval.data.problems import Problems, shown
from rag_eval.data.read import Row, kind


def objects(values: Any, where: str, problems: Problems) -> list[Row]:
    """The objects of a list, each with its place `<where> [<number from 0>]`; anything else is added to the problems."""
    if not isinstance(values, list):
        problems.add(where, f"must be a list of objects but is {kind(values)}")
        return []
    rows = []
    for at, value in enumerate(values):
        if isinstance(value, dict):
            rows.append(Row(f"{where} [{at}]", value))
        else:
            problems.add(f"{where} [{at}]", f"must be an object but is {kind(value)}")
    return rows


def has(row: Row, fields: Collection[str], problems: Problems) -> bool:
    """Whether a row has the fields; what it lacks, and what it has instead, is added to the problems."""
    missing = [field for field in fields if field not in row.fields]
    if missing:
        found = ", ".join(map(shown, list(row.fields)[:20])) or "nothing"
        problems.add(row.where, f"lacks {', '.join(missing)}; found {found}")
    return not missing


def has_texts(row: Row, fields: Collection[str], problems: Problems) -> bool:
    """Whether a row has the fields and each is a text with something in it; what is wrong is added to the problems."""
    if not has(row, fields, problems):
        return False
    faults = [f"{field}: {fault}" for field in fields if (fault := _fault(row.fields[field]))]
    for fault in faults:
        problems.add(row.where, fault)
    return not faults


def has_lists(row: Row, fields: Collection[str], problems: Problems) -> bool:
    """Whether a row has the fields and each is a list of texts with something in them; what is wrong is added to the problems."""
    if not has(row, fields, problems):
        return False
    faults = []
    for field in fields:
        values = row.fields[field]
        if not isinstance(values, list):
            faults.append(f"{field}: must be a list of texts but is {kind(values)}")
        else:
            faults += [f"{field}[{at}]: {fault}" for at, value in enumerate(values) if (fault := _fault(value))]
    for fault in faults:
        problems.add(row.where, fault)
    return not faults


def _fault(value: Any) -> str:
    """What keeps a value from being a text with something in it; empty if nothing does."""
    if not isinstance(value, str):
        return f"must be a text but is {kind(value)}"
    return "" if value.strip() else "is empty"
