"""Numbers with units, as far as answers need them: SI prefixes of metre, gram, second and litre, units of time, percent.

Units of other kinds are compared by their letters alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# Groups of three are separated by commas or by spaces that do not break; a plain space could part two numbers.
INTEGER = r"[+\-−]?(?:[0-9]{1,3}(?:[,\u00a0\u2009\u202f][0-9]{3})+|[0-9]+)"
NUMBER = rf"(?:{INTEGER}(?:\.[0-9]+)?|[+\-−]?\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"({NUMBER})(?:\s+in\s+({NUMBER}))?\s*((?:[^\W\d_]|[%‰°$€£])[^0-9]*)?")
_GROUPING = str.maketrans({",": None, "\u00a0": None, "\u2009": None, "\u202f": None, "−": "-"})

Unit = tuple[str, float]  # kind, and how many of the unit that all of the kind are brought to

_PREFIXES = (("p", "pico", 1e-12), ("n", "nano", 1e-9), ("µ", "micro", 1e-6), ("μ", "micro", 1e-6), ("u", "micro", 1e-6),
             ("m", "milli", 1e-3), ("c", "centi", 1e-2), ("d", "deci", 1e-1), ("", "", 1.0), ("k", "kilo", 1e3),
             ("M", "mega", 1e6), ("G", "giga", 1e9))  # fmt: skip
_BASES = (("m", ("metre", "meter"), "length"), ("g", ("gram", "gramme"), "mass"), ("s", ("second",), "time"),
          ("l", ("litre", "liter"), "volume"), ("L", (), "volume"))  # fmt: skip
_SYMBOLS: dict[str, Unit] = {short + base: (kind, scale) for short, _, scale in _PREFIXES for base, _, kind in _BASES} | {
    "t": ("mass", 1e6),
    "h": ("time", 3_600.0),
    "d": ("time", 86_400.0),
    "y": ("calendar", 12.0),
    "%": ("percent", 1.0),
}
# A month is no fixed number of days, so months and years are a kind of their own.
_OTHERS: dict[Unit, tuple[str, ...]] = {
    ("mass", 1e6): ("tonne",),
    ("time", 1.0): ("sec",),
    ("time", 60.0): ("min", "minute"),
    ("time", 3_600.0): ("hr", "hour"),
    ("time", 86_400.0): ("day",),
    ("time", 604_800.0): ("wk", "week"),
    ("calendar", 1.0): ("month",),
    ("calendar", 12.0): ("yr", "year"),
    ("percent", 1.0): ("percent", "per cent"),
}
_WORDS: dict[str, Unit] = {
    long + word + ending: (kind, scale)
    for _, long, scale in _PREFIXES
    for _, words, kind in _BASES
    for word in words
    for ending in ("", "s")
} | {word + ending: unit for unit, words in _OTHERS.items() for word in words for ending in ("", "s")}


@dataclass(frozen=True)
class Quantity:
    """A number of some kind, in the unit that all of its kind are brought to."""

    value: float
    kind: str  # of the unit: length, mass, ...; its own letters in quotes for an unknown one; "" without a unit

    def equals(self, other: Quantity) -> bool:
        """Whether the kinds are the same and the values are to a relative 1e-9."""
        return self.kind == other.kind and math.isclose(self.value, other.value, rel_tol=1e-9)


def read_quantity(text: str) -> Quantity | None:
    """The quantity that a text states, if it states one and nothing else; "1 in N" is the number 1 / N.

    A period may end the text. A comma that is no separator of thousands is not guessed at.
    """
    found = _QUANTITY.fullmatch(text.strip().removesuffix("."))
    if not found:
        return None
    share, whole, unit = found.groups()
    divisor = 1.0 if whole is None else _value(whole)
    kind, scale = _unit(unit or "")
    value = _value(share) / divisor * scale if divisor else math.nan
    return Quantity(value, kind) if math.isfinite(value) else None


def _value(digits: str) -> float:
    return float(digits.translate(_GROUPING))


def _unit(text: str) -> Unit:
    """Symbols are told apart by their case (mg, Mg), words are not; an unknown unit is its letters."""
    name = " ".join(text.split())
    return _SYMBOLS.get(name) or _WORDS.get(name.lower()) or (repr(name.lower()) if name else "", 1.0)
