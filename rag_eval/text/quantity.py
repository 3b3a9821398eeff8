"""Parser of numbers with units: SI prefixes of metre, gram, second and litre, units of time, percent, money.

Other units are compared as strings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_eval.text.money import CODES, NAMES, SHORT_SCALES, SIGNS, is_same_currency
from rag_eval.text.number_words import SCALES, VOCABULARY, read_number_words

# Groups of three digits are separated by commas or non-breaking spaces; an ordinary space may separate two numbers.
INTEGER = r"[+\-−]?(?:[0-9]{1,3}(?:[,\u00a0\u2009\u202f][0-9]{3})+|[0-9]+)"
NUMBER = rf"(?:{INTEGER}(?:\.[0-9]+)?|[+\-−]?\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_BEFORE = sorted({**SIGNS, **CODES}, key=len, reverse=True)
CURRENCY = rf"(?:{'|'.join(map(re.escape, _BEFORE))})"
_QUANTITY = re.compile(
    rf"(?:(?P<minus>[+\-−])?(?P<currency>{CURRENCY})\s*)?(?P<share>{NUMBER})(?:\s+in\s+(?P<whole>{NUMBER}))?"
    rf"\s*(?P<unit>(?:[^\W\d_]|[%‰°{re.escape(''.join(sign for sign in SIGNS if len(sign) == 1))}])[^0-9]*)?"
)
_LETTERS = re.compile(r"[^\W\d_]+")
_GROUPING = str.maketrans({",": None, "\u00a0": None, "\u2009": None, "\u202f": None, "−": "-"})

Unit = tuple[str, float]  # kind, and its size in the base unit of the kind

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
# A month has no fixed number of days, so months and years are a separate kind.
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


_MONEY: dict[str, Unit] = {name: (kind, 1.0) for name, kind in {**SIGNS, **CODES, **NAMES}.items()}


@dataclass(frozen=True)
class Quantity:
    """A number of a kind, in the base unit of that kind."""

    value: float
    kind: str  # kind of unit: length, mass, ...; sign or code of a currency; an unknown unit in quotes; "" without a unit

    def equals(self, other: Quantity) -> bool:
        """Whether the kinds are compatible and the values are equal to a relative tolerance of 1e-9."""
        return is_same_currency(self.kind, other.kind) and math.isclose(self.value, other.value, rel_tol=1e-9)


def read_quantity(text: str) -> Quantity | None:
    """Quantity stated by a text that contains nothing else; "1 in N" is the number 1 / N.

    The number is in digits, optionally followed by thousand, million and the like, or in words. A currency may precede it, a
    unit may follow it, and a final period is ignored. A comma that does not separate thousands makes the text unreadable.

    Args:
        text: any text.

    Returns:
        The quantity; None if the text is not one, or is not finite.
    """
    plain = text.strip().removesuffix(".")
    found = _QUANTITY.fullmatch(plain) or _QUANTITY.fullmatch(_in_digits(plain))
    if not found:
        return None
    divisor = 1.0 if found["whole"] is None else value_of(found["whole"])
    scale, kind, factor = _scaled_unit(found["unit"] or "", found["currency"])
    sign = -1.0 if found["minus"] in ("-", "−") else 1.0
    value = sign * value_of(found["share"]) / divisor * scale * factor if divisor else math.nan
    return Quantity(value, kind) if math.isfinite(value) else None


def value_of(digits: str) -> float:
    """Value of a text that matches `NUMBER`."""
    return float(digits.translate(_GROUPING))


def known_unit(name: str) -> Unit | None:
    """Unit of a name, None if it is unknown. Symbols are case-sensitive (mg, Mg), words are not."""
    return _SYMBOLS.get(name) or _MONEY.get(name) or _WORDS.get(name.lower()) or _MONEY.get(name.lower())


def _scaled_unit(text: str, currency: str | None) -> tuple[float, str, float]:
    """Factor of "million" and the like, kind of the unit, and factor of the unit."""
    first, *others = text.split() or [""]
    scale = SCALES.get(first.lower()) or (SHORT_SCALES.get(first.lower()) if currency else None)
    names = others if scale else text.split()
    before = _MONEY[currency][0] if currency else None
    money, rest = _money(names)
    if before and (money is None or is_same_currency(before, money)):
        kind, factor = " ".join((max(before, money or "", key=len), *rest)), 1.0
    elif money and not before:
        kind, factor = " ".join((money, *rest)), 1.0
    else:
        name = " ".join(filter(None, (before, *names)))
        kind, factor = known_unit(name) or (repr(name.lower()) if name else "", 1.0)
    return scale or 1.0, kind, factor


def _money(names: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The currency that a sequence of words begins with, and the remaining words in lower case."""
    for n in (2, 1):
        first = " ".join(names[:n])
        if kind := _MONEY.get(first) or _MONEY.get(first.lower()):
            return kind[0], [name.lower() for name in names[n:]]
    return None, [name.lower() for name in names]


def _in_digits(text: str) -> str:
    """A text that begins with a number in words and contains no other, with that number in digits."""
    parts = list(_LETTERS.finditer(text))
    found = read_number_words([part[0].lower() for part in parts])
    if not found or not text.startswith(parts[0][0]) or any(part[0].lower() in VOCABULARY for part in parts[found[1] :]):
        return text
    return f"{found[0]:.0f}{text[parts[found[1] - 1].end() :]}"
