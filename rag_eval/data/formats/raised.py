"""Superscripts and subscripts in plain text: 10 with superscript 6 is written 10^6, which differs from 106.

Readers mark superscripts and subscripts; `plain` resolves the marks once the whole text is known. A superscript follows `^` if it is
an exponent or a number. It has no `^` where plain text conventionally omits it: endings of ordinals and abbreviations (1st, XXe,
Mme), signs (Na+, word*), brackets (a footnote's [3]), and before its word (14C). Subscripts are written unchanged (H2O, Vmax), or
after `_` where two numbers or an expression would run together (101_2, x_(n+1)).
"""

from __future__ import annotations

import re
import unicodedata

UP, DOWN, END = "\ufdd0", "\ufdd1", "\ufdd2"  # Unicode noncharacters, which do not occur in interchanged text
MARKS = f"{UP}{DOWN}{END}"
INNERMOST = re.compile(f"(?P<how>[{UP}{DOWN}])(?P<text>[^{MARKS}]*){END}")
FRACTION = re.compile(rf"(?P<before>\d?){UP}\s*(\d+)\s*{END}\s*[/\u2044]\s*{DOWN}\s*(\d+)\s*{END}")
NOT_MARKS = str.maketrans("", "", MARKS)
ENDINGS = frozenset({
    "st", "nd", "rd", "th", "e", "er", "re", "ère", "ème", "eme", "es", "de", "te", "ter", "ste", "o", "a", "os", "as",
    "ie", "me", "mes", "lle", "lles", "r", "rs", "ne",
})  # of ordinals and abbreviations in several languages  # fmt: skip
BRACKETED = re.compile(r"[\[({].*[\])}]", re.DOTALL)
CALCULATION = re.compile(r"\S\s*[-+\u2212*·×/=<>]\s*\S|\s")
VARIABLE = re.compile(r"(?:^|[\W\d_])[^\W\d_]$|[\d)\]}]$")  # bases that may have letters as exponent: a single letter, number or bracket


def unmarked(text: str) -> str:
    """Remove characters that could be confused with marks."""
    return text.translate(NOT_MARKS)


def raised(text: str) -> str:
    """Mark a text as superscript."""
    return f"{UP}{text}{END}"


def lowered(text: str) -> str:
    """Mark a text as subscript."""
    return f"{DOWN}{text}{END}"


def plain(text: str) -> str:
    """Resolve the marks of a text, innermost first."""
    text = FRACTION.sub(lambda found: f"{found['before']}{' ' if found['before'] else ''}{found[2]}/{found[3]}", text)
    while INNERMOST.search(text):
        text = INNERMOST.sub(_resolved, text)
    return text.translate(NOT_MARKS)


def grouped(text: str) -> str:
    """Add parentheses to an expression such as n+1, but not to a single number or name such as -19."""
    return f"({text})" if CALCULATION.search(text) and not BRACKETED.fullmatch(text) else text


def _resolved(found: re.Match[str]) -> str:
    text = found["text"].strip()
    before = found.string[max(0, found.start() - 40) : found.start()].translate(NOT_MARKS)
    after = found.string[found.end() : found.end() + 3].translate(NOT_MARKS)
    write = _up if found["how"] == UP else _down
    apart = " " if text[-1:].isdigit() and after[:1].isdigit() else ""  # 10^6 5 is not 10^65
    return f"{write(before, text)}{apart}" if text else found["text"]


def _up(before: str, text: str) -> str:
    if not before or before[-1].isspace() or unicodedata.category(before[-1]) in ("Ps", "Pi", "Pd"):
        return text
    if BRACKETED.fullmatch(text):
        return text
    if text.isalpha() and (not VARIABLE.search(before) or text.lower() in ENDINGS or (before[-1].isupper() and text.islower())):
        return text
    if not any(one.isalnum() for one in text):
        return text
    return f"^{grouped(text)}"


def _down(before: str, text: str) -> str:
    runs_on = before[-1:].isdigit() and text[0].isdigit()
    return f"_{grouped(text)}" if runs_on or CALCULATION.search(text) else text
