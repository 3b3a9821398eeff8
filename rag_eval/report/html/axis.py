"""Axes of figures: from values to places, linear or logarithmic, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

N_TICKS = 5  # about
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Axis:
    """The places of values between two ends."""

    low: float  # value at the start
    high: float
    start: float  # place of `low`, in units of the figure
    end: float
    is_log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The place of a value; one beyond an end is put there."""
        low, high, x = (math.log10(one) if self.is_log else one for one in (self.low, self.high, min(max(value, self.low), self.high)))
        return self.start + (x - low) / (high - low) * (self.end - self.start)


def axis(values: Sequence[float], start: float, end: float, is_log: bool) -> Axis:
    """An axis that holds these values.

    Args:
        values: finite; on a logarithmic axis those above 0 count.
        start: place of its lower end.
        end: place of its upper end.
        is_log: whether it is logarithmic.

    Returns:
        The axis, from its first to its last tick.
    """
    known = [one for one in values if math.isfinite(one) and (one > 0 or not is_log)]
    low, high = (min(known), max(known)) if known else (1.0, 10.0) if is_log else (0.0, 1.0)
    return _logarithmic(low, high, start, end) if is_log else _linear(low, high, start, end)


def _linear(low: float, high: float, start: float, end: float) -> Axis:
    if low == high:
        low, high = (low - 0.5, high + 0.5) if abs(low) <= 1 else (min(0.0, 2 * low), max(0.0, 2 * high))
    rough = (high - low) / N_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= rough * 0.999), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(number * step, 12) for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], start, end, False, ticks)


def _logarithmic(low: float, high: float, start: float, end: float) -> Axis:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if first == last:
        last += 1
    each = max(1, math.ceil((last - first) / (N_TICKS + 1)))
    ticks = tuple(10.0**number for number in range(first, last + 1, each))
    if last - first == 1:
        ticks = tuple(factor * 10.0**first for factor in (1, 2, 5, 10))
    return Axis(10.0**first, 10.0**last, start, end, True, ticks)


def tick_text(value: float) -> str:
    """A tick in few characters: 20k, 0.001, 1e-05."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:g}{prefix}"
    return f"{value:g}"
