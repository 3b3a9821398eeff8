"""Whether a part is of the kind that its place demands, told from the source: no part is imported for it.

A class fulfils a Protocol if it has all of its methods and attributes, its own and those that it inherits within the package. Where
a class is demanded that is no Protocol, it must be that one or derive from it; of a function its return annotation counts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from rag_eval.conf_folder import conf_dir
from rag_eval.config.module_source import class_of
from rag_eval.config.signature import signature
from rag_eval.errors import ConfigError
from rag_eval.run_spec import kinds

_SHOWN = 3  # missing members that a message names


def check_kind(target: str, kind: str, where: str) -> None:
    """Refuse a part that is not of a kind.

    Args:
        target: dotted name of the class or function that builds it.
        kind: dotted name of what it must be.
        where: dotted key of its place in the configuration.

    Raises:
        ConfigError: in one line, with what was expected and found and what may be chosen instead.
    """
    given = signature(target, f"{where}._target_").gives
    if (fault := _fault(given, kind)) is not None:
        name = kind.rpartition(".")[2]
        article = "an" if name[0] in "AEIO" else "a"
        raise ConfigError(f"{where}: expected {article} {name}, found {target}, which {fault}; {how_to_choose(where, kind, target)}.")


def how_to_choose(where: str, kind: str, refused: str = "") -> str:
    """The command that chooses a part for a place, for messages.

    Args:
        where: dotted key of the place.
        kind: dotted name of what it must be.
        refused: dotted name of a part that is no choice.

    Returns:
        The command, with all choices.
    """
    group = _group(where, kind)
    if group is None:
        return f"give {where}._target_ of one"
    made_of = f"_target_: {refused}\n"
    files = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml") if made_of not in path.read_text(encoding="utf-8"))
    is_of_run = group in kinds() and where.partition(".")[0] != group  # the run's own, to which the place refers: ${cache}
    key = group if is_of_run or group == where.replace(".", "/") else f"{group}@{where}"
    return f"choose {key}=<one of {', '.join(files)}>"


def _fault(given: str, kind: str) -> str | None:
    """Why what is built does not fulfil a kind; None where it does."""
    if given == kind:
        return None
    demanded = class_of(kind)
    if demanded is None or "Protocol" not in _base_names(demanded[1]):
        is_one = kind in _ancestors(given)
        return None if is_one else f"gives {'something else' if not given else 'a ' + given.rpartition('.')[2]}"
    lacking = sorted(_promised(kind) - _members(given))
    if not lacking:
        return None
    more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return f"has no {', '.join(lacking[:_SHOWN])}{more}"


def _group(where: str, kind: str) -> str | None:
    """The folder of conf/ whose files fit a place: its own, one of its last name, or that of a part of the run of the same kind."""
    own, last = where.replace(".", "/"), where.rpartition(".")[2]
    named = sorted(path.relative_to(conf_dir()).as_posix() for path in conf_dir().rglob(last) if path.is_dir())
    of_kind = [name for name, one in kinds().items() if one in (kind, *_ancestors(kind))]
    return next((one for one in (own, *named, *of_kind) if (conf_dir() / one).is_dir()), None)


@cache
def _members(dotted: str) -> frozenset[str]:
    """Methods and attributes of a class: those of its body, those that its methods set on self, and inherited ones."""
    found = class_of(dotted)
    if found is None:
        return frozenset()
    own = {*_declared(found[1]), *(name for one in found[1].body if isinstance(one, ast.FunctionDef) for name in _set_on_self(one))}
    return frozenset(own).union(*map(_members, _bases(dotted)))


@cache
def _promised(dotted: str) -> frozenset[str]:
    """Methods and attributes that a Protocol demands, inherited ones included."""
    found = class_of(dotted)
    return frozenset() if found is None else frozenset(_declared(found[1])).union(*map(_promised, _bases(dotted)))


def _declared(node: ast.ClassDef) -> Iterator[str]:
    for one in node.body:
        if isinstance(one, ast.FunctionDef):
            yield one.name
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            yield one.target.id
        elif isinstance(one, ast.Assign):
            yield from (target.id for target in one.targets if isinstance(target, ast.Name))


def _set_on_self(method: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(method):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


def _bases(dotted: str) -> list[str]:
    """Dotted names of the classes that a class derives from."""
    found = class_of(dotted)
    return [found[0].dotted(name) for name in _base_names(found[1])] if found else []


def _base_names(node: ast.ClassDef) -> list[str]:
    return [one.id for one in node.bases if isinstance(one, ast.Name)]


@cache
def _ancestors(dotted: str) -> frozenset[str]:
    """The class and all that it derives from."""
    return frozenset([dotted]).union(*map(_ancestors, _bases(dotted)))
