"""A module of the package as its source says it, so that what it holds is known without importing it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rag_eval.targets import is_ours

Definition = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class ModuleSource:
    """What the top level of a module holds."""

    name: str  # dotted
    definitions: Mapping[str, Definition]  # classes and functions
    aliases: Mapping[str, ast.expr]  # names that a value is assigned to
    imported: Mapping[str, str]  # names that are imported from modules -> dotted names

    def dotted(self, name: str) -> str:
        """The dotted name of what a name of this module stands for."""
        return self.imported.get(name, f"{self.name}.{name}")


@cache
def module_source(name: str) -> ModuleSource | None:
    """The module of a dotted name; None where there is none."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    assigned = [node for node in body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    imports = [node for node in body if isinstance(node, ast.ImportFrom) and node.module]
    return ModuleSource(
        name,
        {node.name: node for node in body if isinstance(node, Definition)},
        {node.targets[0].id: node.value for node in assigned if isinstance(node.targets[0], ast.Name)},
        {one.asname or one.name: f"{node.module}.{one.name}" for node in imports for one in node.names},
    )


def class_of(dotted: str) -> tuple[ModuleSource, ast.ClassDef] | None:
    """The definition of a class of the package and the module that it stands in; None where the name is of none."""
    module, _, name = dotted.rpartition(".")
    source = module_source(module) if is_ours(dotted) else None
    found = source.definitions.get(name) if source else None
    return (source, found) if source and isinstance(found, ast.ClassDef) else None
