"""What must not be written down: keys that name secrets, and addresses that hold some."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_eval.errors import ConfigError

SECRETS = ("token", "secret", "password", "api_key", "credential")


def is_secret(key: str) -> bool:
    """Whether a key, by its last part, names something that must not be written down."""
    return any(key.lower() == word or key.lower().endswith(f"_{word}") for word in SECRETS)


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Refuse a secret on a command line before anything of it is written down.

    Args:
        arguments: overrides of the command line.

    Raises:
        ConfigError: if a key names a secret, or an address holds a user or a password; the value is not repeated.
    """
    for argument in arguments:
        key, _, value = argument.partition("=")
        inside = re.findall(r"(\w+)[\"']?\s*:", value) if value.lstrip("'\"").startswith(("{", "[")) else re.findall(r"[?&](\w+)=", value)
        for name in (key.lstrip("+~").rpartition(".")[2], *inside):
            if value and is_secret(name):
                raise ConfigError(f"{name} looks like a secret; give it through the environment, not on the command line.")
        if re.search(r"://[^/\s]*@", value):
            raise ConfigError(f"{key} holds a user or a password in its address; give them through the environment.")
