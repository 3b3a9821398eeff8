"""Conversion of typed values to the text that answers are compared with."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from datasets import ClassLabel, LargeList, List, Value


def as_text(value: Any) -> Any:
    """Number as digits, boolean as "true" or "false", date or time in ISO 8601; other values unchanged.

    A float has the fewest digits that identify it, and no decimal point if it is whole. Midnight without a time zone is written as
    a date.

    Args:
        value: any value.

    Returns:
        The text, or the value itself.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return np.format_float_positional(value, trim="-")
    if isinstance(value, decimal.Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        is_day = value.tzinfo is None and value.time() == datetime.time()
        return value.date().isoformat() if is_day else value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def named(value: Any, feature: Any) -> Any:
    """Convert class labels to their names, and float16/float32 values to their shortest decimal form, at any depth.

    Args:
        value: value of a row.
        feature: feature of the column in `datasets`; None = unknown.

    Returns:
        The converted value.
    """
    if value is None or feature is None:
        return value
    if isinstance(feature, ClassLabel) and isinstance(value, int):
        return feature.int2str(value) if value >= 0 else None  # -1 = no label
    if isinstance(feature, Value) and feature.dtype in ("float16", "float32") and isinstance(value, float):
        return float(str(np.dtype(feature.dtype).type(value)))
    if isinstance(feature, List | LargeList) and isinstance(value, list):
        return [named(one, feature.feature) for one in value]
    if isinstance(feature, Mapping) and isinstance(value, Mapping):
        return {name: named(one, feature.get(name)) for name, one in value.items()}
    return value
