"""What token sequences begin with alike."""

from __future__ import annotations

from collections.abc import Sequence


def n_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common prefix of two sequences."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
