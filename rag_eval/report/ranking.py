"""The order of arms by a measure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from rag_eval.score.metric import Better

Key = TypeVar("Key")


def best_first(values: Mapping[Key, float | None], better: Better) -> list[Key]:
    """Order keys by their values.

    Args:
        values: by key; None or nan = not measured.
        better: whether a higher or a lower value is better.

    Returns:
        The keys, best first, those that were not measured last; equal ones in their order.
    """
    sign = -1.0 if better == "higher" else 1.0
    return sorted(values, key=lambda key: math.inf if (value := values[key]) is None or math.isnan(value) else sign * value)
