"""Currencies in texts: signs and codes before a number; signs, codes and words after it.

"$" and "dollars" stand for the dollar of any country, "¥" for yen or yuan; names with a country are unambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping

SIGNS: Mapping[str, str] = {
    "US$": "US$",
    "AU$": "A$",
    "A$": "A$",
    "CA$": "C$",
    "C$": "C$",
    "HK$": "HK$",
    "NZ$": "NZ$",
    "S$": "S$",
    "R$": "BRL",
    **{sign: sign for sign in "$€£¥₹₩₽₺₪₫₦฿"},
}
CODES: Mapping[str, str] = {
    **{"USD": "US$", "AUD": "A$", "CAD": "C$", "HKD": "HK$", "NZD": "NZ$", "SGD": "S$", "BRL": "BRL", "EUR": "€", "GBP": "£"},
    **{"JPY": "JP¥", "CNY": "CN¥", "RMB": "CN¥", "INR": "₹", "KRW": "₩", "RUB": "₽", "TRY": "₺", "ILS": "₪", "VND": "₫", "NGN": "₦"},
    **{code: code for code in ("CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "MXN", "ZAR")},
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "$": ("dollar", "dollars"),
    "US$": ("us dollar", "us dollars", "u.s. dollar", "u.s. dollars", "american dollar", "american dollars"),
    "A$": ("australian dollar", "australian dollars"),
    "C$": ("canadian dollar", "canadian dollars"),
    "€": ("euro", "euros"),
    "£": ("pound", "pounds", "pound sterling", "pounds sterling"),
    "JP¥": ("yen",),
    "CN¥": ("yuan", "renminbi"),
    "₹": ("rupee", "rupees"),
    "₩": ("won",),
    "₽": ("ruble", "rubles", "rouble", "roubles"),
    "CHF": ("swiss franc", "swiss francs"),
}
NAMES: Mapping[str, str] = {name: kind for kind, names in _WORDS.items() for name in names}  # in lower case
# With a currency before the number only; without one, m is metres.
SHORT_SCALES: Mapping[str, float] = {"k": 1e3, "m": 1e6, "mn": 1e6, "mln": 1e6, "b": 1e9, "bn": 1e9, "tn": 1e12, "trn": 1e12}


def is_same_currency(one: str, other: str) -> bool:
    """Whether two currencies are compatible: "$" is compatible with any dollar, "¥" with yen and yuan."""
    short, long = sorted((one, other), key=len)
    return one == other or (short in ("$", "¥") and long.endswith(short))
