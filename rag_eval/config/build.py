"""The objects that a checked configuration describes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from rag_eval.config.secrets import is_secret
from rag_eval.config.signature import PACKAGE
from rag_eval.errors import ConfigError
from rag_eval.parts import Chunker
from rag_eval.types import QADataset


def build(node: Mapping[str, Any]) -> Any:
    """The object that a checked node describes, parts inside it first.

    Raises:
        ConfigError: if any target in it is not a name under rag_eval.
    """
    refuse(node)
    return instantiate(dict(node), _convert_="all")


def function(name: str) -> Any:
    """The function of a checked dotted name, such as a metric."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def dataset_of(settings: Mapping[str, Any]) -> QADataset:
    """The dataset of a checked configuration, as its system gets it: with chunks for documents where it says so."""
    chunker: Chunker = build(settings["chunker"])  # first, for it is the quicker to say what is wrong
    return chunker.chunk(build(settings["dataset"]))


def refuse(node: Any, where: str = "") -> None:
    """Refuse targets outside the package and secrets, wherever they stand.

    Raises:
        ConfigError: naming the key, never the value of a secret.
    """
    if isinstance(node, list):
        for at, value in enumerate(node):
            refuse(value, f"{where}[{at}]")
    if not isinstance(node, Mapping):
        return
    for name, value in node.items():
        key = f"{where}.{name}".lstrip(".")
        if name == "_target_" and not str(value).startswith(f"{PACKAGE}."):
            raise ConfigError(f"{key}: {value!r} is not allowed; only names under {PACKAGE}. are built.")
        if name in {"_args_", "_partial_", "_recursive_", "_convert_"}:
            raise ConfigError(f"{key} is not allowed in a configuration; give parameters by name.")
        if value and is_secret(str(name)):
            raise ConfigError(f"{key} looks like a secret; give it through the environment, not through the configuration.")
        refuse(value, key)
