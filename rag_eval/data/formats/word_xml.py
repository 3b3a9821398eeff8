"""Elements of a Word file by their names."""

from __future__ import annotations

from typing import Any

from docx.oxml.ns import nsmap


def name_of(node: Any) -> str:
    """The name of an element without its namespace; "" for a comment."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def found(node: Any, path: str) -> list[Any]:
    """The elements under a path such as w:pPr/w:pStyle."""
    return list(node.findall(path, nsmap))


def attribute(node: Any, name: str) -> str:
    """The value of an attribute in the element's own namespace; "" if it has none."""
    return node.get(f"{{{node.nsmap[node.prefix]}}}{name}") or ""


def values(node: Any, path: str) -> list[str]:
    """What the elements under a path say as their w:val."""
    return [attribute(one, "val") for one in found(node, path)]
