"""What the source says of a part. A part's constructor is its schema; reading it imports no part."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from rag_eval.config.suggest import suggest
from rag_eval.errors import ConfigError

PACKAGE = "rag_eval"
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


# The names that an annotation of a part may use; any other name is a part.
NAMES: Mapping[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, str, bool, list, dict)},
    "Sequence": list, "Mapping": dict, "Any": Any, "Literal": Literal, "Annotated": Annotated, "Field": Field, "None": None,
    "PositiveInt": pydantic.PositiveInt, "NonNegativeInt": pydantic.NonNegativeInt,
    "PositiveFloat": pydantic.PositiveFloat, "NonNegativeFloat": pydantic.NonNegativeFloat,
}  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """What the source says of a part."""

    model: type[BaseModel] | None  # None: it takes no parameters
    constants: Mapping[str, Any]  # class attributes that are literals
    methods: frozenset[str]


@cache
def signature(target: str, where: str = "") -> Signature:
    """The schema of a target, from its source.

    Raises:
        ConfigError: if there is no such module, class or function.
    """
    module, _, name = target.rpartition(".")
    if not target.startswith(f"{PACKAGE}."):
        raise ConfigError(f"{where}: {target} is not allowed; only names under {PACKAGE}. are used.")
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise ConfigError(f"{where}: there is no module {module}.")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    aliases = {
        node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return Signature(_schema(node.args, node.name, aliases), {}, frozenset())
        if isinstance(node, ast.ClassDef) and node.name == name:
            functions = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
            init = functions.get("__init__")
            model = _schema(init.args, name, aliases) if init else _fields(node, aliases) if _is_dataclass(node) else None
            return Signature(model, _constants(node), frozenset(functions))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")]
    raise ConfigError(f"{where}: {module} has no {name}{suggest(name, names)}.")


def _constants(node: ast.ClassDef) -> dict[str, Any]:
    return {
        one.target.id: one.value.value
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(one.value, ast.Constant)
    }


def _schema(arguments: ast.arguments, name: str, aliases: Mapping[str, ast.expr]) -> type[BaseModel] | None:
    n_positional = len(arguments.args) - len(arguments.defaults)
    optional = {one.arg for one in arguments.args[n_positional:]}
    optional |= {one.arg for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value is not None}
    taken = [one for one in (*arguments.args, *arguments.kwonlyargs) if one.arg != "self"]
    return _model(name, [(one.arg, one.annotation, one.arg in optional) for one in taken], aliases)


def _fields(node: ast.ClassDef, aliases: Mapping[str, ast.expr]) -> type[BaseModel] | None:
    """The schema of a dataclass."""
    found = [
        (one.target.id, one.annotation, one.value is not None)
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    return _model(node.name, found, aliases)


def _model(name: str, parameters: Sequence[tuple[str, ast.expr | None, bool]], aliases: Mapping[str, ast.expr]) -> type[BaseModel] | None:
    """The schema of parameters: name, annotation, whether it may be left out. None where there are none."""
    fields: dict[str, Any] = {one: (_type(annotation, aliases), None if may_lack else ...) for one, annotation, may_lack in parameters}
    return pydantic.create_model(name, __config__=STRICT, **fields) if fields else None


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in {part.id for part in ast.walk(one) if isinstance(part, ast.Name)} for one in node.decorator_list)


def _type(annotation: ast.expr | None, aliases: Mapping[str, ast.expr]) -> Any:
    """The annotation's type; a name that is neither built in nor an alias of the module stands for a part."""
    if annotation is None:
        return Any
    names = dict(NAMES)
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id not in names:
            names[node.id] = _type(aliases[node.id], aliases) if node.id in aliases else dict[str, Any]
    try:
        # The text comes from a module of this package, whose import would run it as well.
        return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), {"__builtins__": {}}, names)  # noqa: S307
    except TypeError:  # of generic types that no configuration gives, such as tuple
        return Any
