"""Options of a command, `key=value`: a frozen dataclass whose annotations say how each is read, and whose defaults are typed.

    @dataclass(frozen=True)
    class Options:
        seeds: Seeds = (0, 1, 2)
        facts: Annotated[int, whole(2)] = 20
        out: Path = Path("reports")

A plain annotation is read by its type; one with `Annotated` by the reader that stands there, a function of the option's name and text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from rag_eval.conf_folder import conf_dir
from rag_eval.config.secrets import refuse_secrets
from rag_eval.errors import UserError
from rag_eval.report.commands.options import parsed
from synthworld.model import RESERVED_SEED

Given = TypeVar("Given")
Reader = Callable[[str, str], Any]  # of an option's name and text; raises UserError
MAX_DIGITS = 18
SHOWN = 40  # characters of a refused text


def options_of(argv: Sequence[str], kind: type[Given]) -> Given:
    """Read the options of a command that takes nothing else.

    Args:
        argv: arguments as `key=value`.
        kind: dataclass in which every field has a default.

    Returns:
        The options.

    Raises:
        UserError: if an argument is not an option, or its value cannot be read.
        ConfigError: if an argument looks like a secret, which reports must not repeat.
    """
    refuse_secrets([*argv, *(word for argument in argv for word in argument.partition("=")[2].split())])
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    words, texts = parsed(argv, dict.fromkeys(names, ""))
    if words:
        raise UserError(f"expected {', '.join(f'{name}=VALUE' for name in names)}, got {words[0]!r}.")
    hints = get_type_hints(kind, include_extras=True)
    given = {argument.partition("=")[0] for argument in argv}
    return kind(**{name: _reader(hints[name])(name, texts[name]) for name in names if name in given})


def _reader(annotation: Any) -> Reader:
    if get_origin(annotation) is Annotated:
        reader: Reader = next(one for one in annotation.__metadata__ if callable(one))
        return reader
    if get_origin(annotation) is Literal:
        return choice(get_args(annotation))
    return READERS[annotation]


def whole(least: int = 0, most: int | None = None) -> Callable[[str, str], int]:
    """A reader of whole numbers from `least` to `most`."""
    wanted = f"of at least {least}" if most is None else f"from {least} to {most}"

    def read(name: str, text: str) -> int:
        number = int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else -1
        if number < least or (most is not None and number > most):
            raise UserError(f"{name}: expected a whole number {wanted}, got {text[:SHOWN]!r}.")
        return number

    return read


def decimal(name: str, text: str) -> float:
    """Read a number.

    Args:
        name: the option, for error messages.
        text: its value.

    Returns:
        The number.

    Raises:
        UserError: if the text is not a number.
    """
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{name}: expected a number, got {text[:SHOWN]!r}.") from None


def choice(known: Collection[str]) -> Callable[[str, str], str]:
    """A reader of one of these names."""

    def read(name: str, text: str) -> str:
        if text not in known:
            raise UserError(f"{name}={text[:SHOWN]} does not exist; choices: {', '.join(known)}.")
        return text

    return read


def configured(group: str) -> Callable[[str, str], str]:
    """A reader of the name of a YAML file in a folder of conf/."""
    return lambda name, text: choice(_stems(group))(name, text)


def several(known: Collection[str]) -> Callable[[str, str], tuple[str, ...]]:
    """A reader of some of these names, with commas between."""
    one_of = choice(sorted(known))
    return lambda name, text: tuple(one_of(name, part) for part in text.split(","))


def of_group(group: str) -> Callable[[str, str], tuple[str, ...]]:
    """A reader of names of YAML files in a folder of conf/, with commas between."""
    return lambda name, text: several(_stems(group))(name, text)


def _stems(group: str) -> list[str]:
    return sorted(file.stem for file in (conf_dir() / group).glob("*.yaml"))


def seeds(name: str, text: str) -> tuple[int, ...]:
    """Read seeds of worlds, separated by commas.

    Args:
        name: the option, for error messages.
        text: its value.

    Returns:
        Different seeds below those of the worlds that the embedded model was trained on.

    Raises:
        UserError: if the text is anything else.
    """
    parts = text.split(",")
    if not all(part.isdecimal() and len(part) <= MAX_DIGITS for part in parts) or len(set(map(int, parts))) < len(parts):
        raise UserError(f"{name}: expected different whole numbers with commas between, as in 0,1,2, got {text[:SHOWN]!r}.")
    found = tuple(map(int, parts))
    if max(found) >= RESERVED_SEED:
        raise UserError(
            f"{name}: expected numbers below {RESERVED_SEED:,}, got {max(found)}: on worlds from there on the model was trained."
        )
    return found


READERS: Mapping[Any, Reader] = {
    str: lambda _, text: text,
    int: whole(),
    float: decimal,
    Path: lambda _, text: Path(text),
}
World = Literal["ci", "laptop", "base", "large", "paper"]  # presets of the invented world
Seeds = Annotated[tuple[int, ...], seeds]
Generator = Annotated[str, configured("generator")]
Embedder = Annotated[str, configured("retriever/embedder")]


def real_data(part: str) -> Path:
    """A folder of the real data.

    Args:
        part: path below the folder that RAG_EVAL_DATA names.

    Returns:
        The path, which need not exist.

    Raises:
        UserError: if RAG_EVAL_DATA is not set.
    """
    folder = os.environ.get("RAG_EVAL_DATA")
    if not folder:
        raise UserError(f"RAG_EVAL_DATA is not set; give it the folder that holds {part}.")
    return Path(folder) / part
