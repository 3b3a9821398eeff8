"""Access to elements of a Word file by name."""

from __future__ import annotations

from typing import Any

from docx.oxml.ns import nsmap


def name_of(node: Any) -> str:
    """Name of an element without its namespace; "" for a comment."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def found(node: Any, path: str) -> list[Any]:
    """Elements under a path such as w:pPr/w:pStyle."""
    return list(node.findall(path, nsmap))


def attribute(node: Any, name: str) -> str:
    """Value of an attribute in the element's own namespace; "" if it is missing."""
    return node.get(f"{{{node.nsmap[node.prefix]}}}{name}") or ""


def values(node: Any, path: str) -> list[str]:
    """w:val attributes of the elements under a path."""
    return [attribute(one, "val") for one in found(node, path)]
