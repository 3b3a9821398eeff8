"""What the source says of a part. A part's constructor is its schema; reading it imports no part."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from rag_eval.config.module_source import Definition, ModuleSource, module_source
from rag_eval.config.suggest import suggest
from rag_eval.errors import ConfigError
from rag_eval.older_targets import current
from rag_eval.protocols import DECIDES_NOTHING
from rag_eval.targets import PACKAGES, is_ours

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())

# The names that an annotation of a part may use; any other name is a part.
NAMES: Mapping[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, str, bool, list, dict)},
    "Sequence": list, "Mapping": dict, "Any": Any, "Literal": Literal, "Annotated": Annotated, "Field": Field, "None": None,
    "PositiveInt": pydantic.PositiveInt, "NonNegativeInt": pydantic.NonNegativeInt,
    "PositiveFloat": pydantic.PositiveFloat, "NonNegativeFloat": pydantic.NonNegativeFloat,
    "DECIDES_NOTHING": DECIDES_NOTHING,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What a parameter that takes parts expects."""

    kind: str  # dotted name of a class, a Protocol or an alias
    takes_many: bool  # a list or a mapping of such parts


@dataclass(frozen=True)
class Signature:
    """What the source says of a part."""

    model: type[BaseModel] | None  # None: it takes no parameters
    places: Mapping[str, Place]  # of the parameters that take parts
    silent: frozenset[str]  # the parameters that are annotated to decide nothing of a result
    closed: frozenset[str]  # the parameters that take no text but the words that their annotation lists
    gives: str  # dotted name of the class of what it builds
    constants: Mapping[str, Any]  # class attributes that are literals
    methods: frozenset[str]


Parameter = tuple[str, ast.expr | None, bool]  # name, annotation, whether it may be left out


@cache
def signature(target: str, where: str = "") -> Signature:
    """Read the schema of a target from its source.

    Args:
        target: dotted name of a class or function.
        where: the setting that names it, for error messages.

    Returns:
        The schema, the places of inner parts, and constants and methods of a class.

    Raises:
        ConfigError: if the target is outside the package, was renamed, or does not exist.
    """
    module, _, name = target.rpartition(".")
    if not is_ours(target):
        raise ConfigError(f"{where}: {target} is not allowed; only names under {' and '.join(PACKAGES)} are used.")
    if (now := current(target)) != target:
        raise ConfigError(f"{where}: {target} is called {now} in this version; write that instead.")
    source = module_source(module)
    if source is None:
        raise ConfigError(f"{where}: there is no module {module}.")
    found = source.definitions.get(name)
    if found is None:
        names = [one for one in source.definitions if not one.startswith("_")]
        raise ConfigError(f"{where}: {module} has no {name}{suggest(name, names)}.")
    parameters = _parameters(found)
    places = {one: place for one, annotation, _ in parameters if (place := _place(annotation, source))}
    silent = frozenset(one for one, annotation, _ in parameters if annotation is not None and _is_silent(annotation))
    model = _model(name, parameters, source)
    types = {one: field.annotation for one, field in model.model_fields.items()} if model else {}
    closed = frozenset(one for one, kind in types.items() if one not in places and not _takes_any_text(kind))
    if isinstance(found, ast.FunctionDef):
        return Signature(model, places, silent, closed, _returned(found, source), {}, frozenset())
    methods = frozenset(one.name for one in found.body if isinstance(one, ast.FunctionDef))
    return Signature(model, places, silent, closed, target, _constants(found), methods)


def _parameters(found: Definition) -> list[Parameter]:
    """Of a function, of a constructor or of a dataclass."""
    if isinstance(found, ast.FunctionDef):
        return _arguments(found.args)
    init = next((one for one in found.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if init is not None:
        return _arguments(init.args)
    if not _is_dataclass(found):
        return []
    fields = (one for one in found.body if isinstance(one, ast.AnnAssign))
    return [(one.target.id, one.annotation, one.value is not None) for one in fields if isinstance(one.target, ast.Name)]


def _arguments(arguments: ast.arguments) -> list[Parameter]:
    n_positional = len(arguments.args) - len(arguments.defaults)
    optional = {one.arg for one in arguments.args[n_positional:]}
    optional |= {one.arg for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value is not None}
    taken = [one for one in (*arguments.args, *arguments.kwonlyargs) if one.arg != "self"]
    return [(one.arg, one.annotation, one.arg in optional) for one in taken]


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in {part.id for part in ast.walk(one) if isinstance(part, ast.Name)} for one in node.decorator_list)


def _constants(node: ast.ClassDef) -> dict[str, Any]:
    return {
        one.target.id: one.value.value
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(one.value, ast.Constant)
    }


def _returned(found: ast.FunctionDef, source: ModuleSource) -> str:
    return source.dotted(found.returns.id) if isinstance(found.returns, ast.Name) else ""


def _model(name: str, parameters: Sequence[Parameter], source: ModuleSource) -> type[BaseModel] | None:
    """The schema of parameters; None where there are none."""
    fields: dict[str, Any] = {one: (_type(annotation, source), None if may_lack else ...) for one, annotation, may_lack in parameters}
    return pydantic.create_model(name, __config__=STRICT, **fields) if fields else None


def _type(annotation: ast.expr | None, source: ModuleSource) -> Any:
    """The annotation's type; a name that is neither built in nor an alias of the module stands for a part."""
    if annotation is None:
        return Any
    names = dict(NAMES)
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id not in names:
            names[node.id] = _type(source.aliases[node.id], source) if node.id in source.aliases else dict[str, Any]
    try:
        # The text comes from a module of this package, whose import would run it as well.
        return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), {"__builtins__": {}}, names)  # noqa: S307
    except TypeError:  # of generic types that no configuration gives, such as tuple
        return Any


def _takes_any_text(kind: Any) -> bool:
    return kind in (str, Any) or any(map(_takes_any_text, get_args(kind)))


def _is_silent(annotation: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "DECIDES_NOTHING" for node in ast.walk(annotation))


def _place(annotation: ast.expr | None, source: ModuleSource, takes_many: bool = False) -> Place | None:
    """What an annotation that names a part expects; None where it names none."""
    match annotation:
        case ast.Name(id=name) if name in source.aliases:
            return _place(source.aliases[name], source, takes_many)
        case ast.Name(id=name):
            return None if name in NAMES else Place(source.dotted(name), takes_many)
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name != "Literal":
            return _place(inner, source, takes_many or NAMES.get(name) in (list, dict))
        case ast.Tuple(elts=several):
            return next((found for one in several if (found := _place(one, source, takes_many))), None)
        case ast.BinOp(left=left, right=right):
            return _place(left, source, takes_many) or _place(right, source, takes_many)
    return None
