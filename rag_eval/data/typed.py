"""Values of typed columns as the texts that an answer is compared with."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from datasets import ClassLabel, LargeList, List, Value


def as_text(value: Any) -> Any:
    """A number as its digits, true and false as these words, a day or a time as ISO 8601 writes it; anything else as it is.

    A fraction has the fewest digits that tell it from others, a whole one no point. Midnight of a day is the day.
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
    """A value at any depth with classes by their names, and with fractions of 32 bits and less no longer than those are exact.

    Args:
        value: of a row.
        feature: of the column, as `datasets` has it; None = not known.
    """
    if value is None or feature is None:
        return value
    if isinstance(feature, ClassLabel) and isinstance(value, int):
        return feature.int2str(value) if value >= 0 else None  # -1 stands for none
    if isinstance(feature, Value) and feature.dtype in ("float16", "float32") and isinstance(value, float):
        return float(str(np.dtype(feature.dtype).type(value)))
    if isinstance(feature, List | LargeList) and isinstance(value, list):
        return [named(one, feature.feature) for one in value]
    if isinstance(feature, Mapping) and isinstance(value, Mapping):
        return {name: named(one, feature.get(name)) for name, one in value.items()}
    return value
