"""Checks of a source's own fields, before they are renamed to those that `validate` checks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, kind


def objects(values: Any, where: str, problems: Problems) -> list[Row]:
    """Objects of a list, each with its place `<where> [<index>]`.

    Args:
        values: value that should be a list of objects.
        where: place of the list, for messages.
        problems: receives a fault for everything else.

    Returns:
        One row per object.
    """
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
    """Whether a row has the required fields.

    Args:
        row: the row.
        fields: required field names.
        problems: receives the missing fields, with those found instead.

    Returns:
        True if no field is missing.
    """
    missing = [field for field in fields if field not in row.fields]
    if missing:
        found = ", ".join(map(shown, list(row.fields)[:20])) or "nothing"
        problems.add(row.where, f"lacks {', '.join(missing)}; found {found}")
    return not missing


def has_texts(row: Row, fields: Collection[str], problems: Problems) -> bool:
    """Whether a row has the required fields, each a non-blank string.

    Args:
        row: the row.
        fields: required field names.
        problems: receives the faults.

    Returns:
        True if there is no fault.
    """
    if not has(row, fields, problems):
        return False
    faults = [f"{field}: {fault}" for field in fields if (fault := _fault(row.fields[field]))]
    for fault in faults:
        problems.add(row.where, fault)
    return not faults


def has_lists(row: Row, fields: Collection[str], problems: Problems) -> bool:
    """Whether a row has the required fields, each a list of non-blank strings.

    Args:
        row: the row.
        fields: required field names.
        problems: receives the faults.

    Returns:
        True if there is no fault.
    """
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
    """Reason why a value is not a non-blank string; "" if it is one."""
    if not isinstance(value, str):
        return f"must be a text but is {kind(value)}"
    return "" if value.strip() else "is empty"
