"""Dataclasses and canonical values to JSON and back, exactly."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


@cache
def _made(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _made(kind)  # by way of Any: mypy does not see that a class is hashable


def to_plain(value: Any) -> Any:
    """A dataclass as dicts and lists."""
    return _adapter(type(value)).dump_python(value)


def to_line(value: Any) -> str:
    """One line of JSON without its line end. Raises ValueError on a number that is not finite."""
    return json.dumps(to_plain(value), allow_nan=False, ensure_ascii=False)


def from_line(kind: type[T], line: str | bytes) -> T:
    """The dataclass that `to_line` wrote. Raises ValueError when the line is not one."""
    value: T = _adapter(kind).validate_json(line, strict=True)
    return value


def from_plain(kind: type[T], value: Any) -> T:
    """The dataclass that `to_plain` unfolded. Raises ValueError when it does not fit."""
    fitted: T = _adapter(kind).validate_python(value)
    return fitted


def null_where_not_finite(value: Any) -> Any:
    """The same nested value with null for nan and infinity: JSON's way to say not measured."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: null_where_not_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [null_where_not_finite(item) for item in value]
    return value


def canonical(value: Any) -> str:
    """JSON that is equal for equal values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_of(value: Any) -> str:
    """Hex digest of the canonical JSON of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
