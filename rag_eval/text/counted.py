"""A number together with the noun that it counts."""

from __future__ import annotations


def counted(number: float, one: str, many: str) -> str:
    """A number and its noun, as in "1 pass", "2.5 passes" and "1,200 rows".

    Args:
        number: how many; an integer is shown with commas between thousands.
        one: the noun for exactly one.
        many: the noun for every other number.

    Returns:
        Both.
    """
    shown = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{shown} {one if number == 1 else many}"
