"""Linear notation of Word equations (Office Math)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rag_eval.data.formats import equation
from rag_eval.data.formats.raised import unmarked
from rag_eval.data.formats.word_xml import name_of


def equation_text(node: Any) -> str:
    """Text of an equation or of a part of one."""
    return "".join(map(_text, node))


def _text(node: Any) -> str:
    name = name_of(node)
    if name == "t":
        return unmarked(node.text or "")
    if name.endswith("Pr"):
        return ""
    write = SHAPES.get(name)
    return write(node) if write else equation_text(node)


def _part(node: Any, name: str) -> str:
    return "".join(equation_text(part) for part in node if name_of(part) == name)


def _scripts(node: Any, base: str) -> str:
    return equation.power(equation.index(base, _part(node, "sub")), _part(node, "sup"))


def _brackets(node: Any) -> str:
    inner = _sign(node, "sepChr", "|").join(equation_text(part) for part in node if name_of(part) == "e")
    return f"{_sign(node, 'begChr', '(')}{inner}{_sign(node, 'endChr', ')')}"


def _rows(node: Any, between: str) -> str:
    return between.join(_text(part) for part in node if not name_of(part).endswith("Pr"))


def _sign(node: Any, name: str, default: str) -> str:
    """Character set in the properties of an element, which may be empty."""
    said = [one for properties in node if name_of(properties).endswith("Pr") for one in properties if name_of(one) == name]
    return next((value for one in said for key, value in one.attrib.items() if key.endswith("}val")), default)


SHAPES: Mapping[str, Callable[[Any], str]] = {
    "sSub": lambda node: _scripts(node, _part(node, "e")),
    "sSup": lambda node: _scripts(node, _part(node, "e")),
    "sSubSup": lambda node: _scripts(node, _part(node, "e")),
    "sPre": lambda node: f"{_scripts(node, '')} {_part(node, 'e')}",
    "nary": lambda node: f"{_scripts(node, _sign(node, 'chr', '∫'))} {_part(node, 'e')}",
    "limLow": lambda node: f"{equation.index(_part(node, 'e'), _part(node, 'lim'))} ",
    "limUpp": lambda node: f"{equation.power(_part(node, 'e'), _part(node, 'lim'))} ",
    "f": lambda node: equation.fraction(_part(node, "num"), _part(node, "den")),
    "rad": lambda node: equation.root(_part(node, "e"), _part(node, "deg")),
    "d": _brackets,
    "eqArr": lambda node: _rows(node, "; "),
    "m": lambda node: _rows(node, "; "),
    "mr": lambda node: _rows(node, ", "),
}  # by element name; other elements are replaced by their content
