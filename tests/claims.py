"""Claims about each of several things, false when there are none: `all` and `not any` hold of nothing."""

from __future__ import annotations

from collections.abc import Iterable


def every(claims: Iterable[object]) -> bool:
    """True when there is at least one claim and all of them hold."""
    n = 0
    for claim in claims:
        if not claim:
            return False
        n += 1
    return n > 0


def none_of(claims: Iterable[object]) -> bool:
    """True when there is at least one claim and none of them holds."""
    return every(not claim for claim in claims)
