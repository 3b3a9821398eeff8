"""What dotted names of older versions are called now: for configurations and recorded runs that were written with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Modules of which only the place changed: old -> new.
MODULES: Mapping[str, str] = {}

# Classes and functions that have another name, or another module than the rest of theirs: old -> new.
NAMES: Mapping[str, str] = {}


def current(target: str) -> str:
    """The dotted name of today of a class or function; the same where it has not changed."""
    module, _, name = target.rpartition(".")
    return NAMES.get(target) or (f"{MODULES[module]}.{name}" if module in MODULES else target)


def current_choices(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded choices, in which a part stands under the last name of its target, with the names of today.

    Args:
        choices: by dotted key, as in `facts["choices"]` of a record.

    Returns:
        The same choices with the present names.
    """
    renamed = {old.rpartition(".")[2]: new.rpartition(".")[2] for old, new in NAMES.items()}
    return {key: renamed.get(value, value) if isinstance(value, str) else value for key, value in choices.items()}
