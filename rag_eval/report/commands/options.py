"""Options of the report's commands: words and key=value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rag_eval.errors import UserError

Options = Mapping[str, str]


def parsed(argv: Sequence[str], defaults: Options) -> tuple[list[str], Options]:
    """Split a command line into words and options.

    Args:
        argv: words, and options as key=value.
        defaults: every known option with its default.

    Returns:
        The words, and all options.

    Raises:
        UserError: if an option is unknown, or allow_mismatch is neither true nor false.
    """
    words, given = [], dict(defaults)
    for argument in argv:
        name, is_pair, value = argument.partition("=")
        if not is_pair:
            words.append(argument)
        elif name in defaults:
            given[name] = value
        else:
            raise UserError(f"expected {', '.join(f'{key}=VALUE' for key in defaults)}, got {argument!r}.")
    if given.get("allow_mismatch", "false") not in ("true", "false"):
        raise UserError(f"allow_mismatch: expected true or false, got {given['allow_mismatch']!r}.")
    return words, given


def one_number(options: Options, name: str) -> float:
    """An option as one number.

    Args:
        options: all options of the command.
        name: the option.

    Returns:
        A finite number of at least 0.

    Raises:
        UserError: if the option is anything else.
    """
    found = numbers(options, name)
    if len(found) != 1:
        raise UserError(f"{name}: expected one number, got {options[name]!r}.")
    return found[0]


def numbers(options: Options, name: str) -> list[float]:
    """An option as numbers.

    Args:
        options: all options of the command.
        name: the option; its numbers are separated by commas.

    Returns:
        Finite numbers of at least 0, at least one.

    Raises:
        UserError: if the option is anything else.
    """
    try:
        found = [float(part) for part in options[name].split(",")]
    except ValueError:
        raise UserError(f"{name}: expected a number, got {options[name]!r}.") from None
    if not all(math.isfinite(one) and one >= 0 for one in found):
        raise UserError(f"{name}: expected a number of at least 0, got {options[name]!r}.")
    return found


def utilisations(options: Options) -> list[float]:
    """The option `utilisation` as shares.

    Args:
        options: all options of the command.

    Returns:
        Shares above 0 and at most 1, at least one.

    Raises:
        UserError: if the option is anything else.
    """
    shares = numbers(options, "utilisation")
    if any(not 0 < share <= 1 for share in shares):
        raise UserError(f"utilisation: expected shares above 0 and at most 1, got {options['utilisation']!r}.")
    return shares
