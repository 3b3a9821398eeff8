"""Equations of Word (Office Math) in one line."""

from __future__ import annotations

from typing import Any

from rag_eval.data.formats import equation
from rag_eval.data.formats.raised import unmarked
from rag_eval.data.formats.word_xml import name_of


def equation_text(node: Any) -> str:
    """The text of an equation or of a part of one."""
    return "".join(map(_text, node))


def _text(node: Any) -> str:
    name = name_of(node)
    parts = {name_of(part): equation_text(part) for part in node if name_of(part) in PARTS}
    base, below, above = (parts.get(part, "") for part in ("e", "sub", "sup"))
    if name == "t":
        return unmarked(node.text or "")
    if name.endswith("Pr"):
        return ""
    if name in ("sSub", "sSup", "sSubSup"):
        return equation.power(equation.index(base, below), above)
    if name == "nary":
        return equation.power(equation.index(_sign(node, "chr", "∫"), below), above) + f" {base}"
    if name in ("limLow", "limUpp"):
        return f"{equation.index(base, parts.get('lim', ''))} "
    if name == "f":
        return equation.fraction(parts.get("num", ""), parts.get("den", ""))
    if name == "rad":
        return equation.root(base, parts.get("deg", ""))
    if name == "d":
        inner = _sign(node, "sepChr", "|").join(equation_text(part) for part in node if name_of(part) == "e")
        return f"{_sign(node, 'begChr', '(')}{inner}{_sign(node, 'endChr', ')')}"
    if name in ("eqArr", "m", "mr"):
        return ("; " if name != "mr" else ", ").join(_text(part) for part in node if not name_of(part).endswith("Pr"))
    return equation_text(node)


def _sign(node: Any, name: str, default: str) -> str:
    """The character that the properties of an element name, which may be none."""
    said = [one for properties in node if name_of(properties).endswith("Pr") for one in properties if name_of(one) == name]
    return next((value for one in said for key, value in one.attrib.items() if key.endswith("}val")), default)


PARTS = frozenset({"e", "sub", "sup", "lim", "num", "den", "deg"})
