"""The objects that a checked configuration describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from rag_eval.config.secrets import is_secret
from rag_eval.errors import ConfigError
from rag_eval.protocols import Chunker
from rag_eval.run_spec import Part, RunSpec
from rag_eval.system import System
from rag_eval.targets import PACKAGES, is_ours
from rag_eval.types import QADataset


def build(part: Part | Mapping[str, Any]) -> Any:
    """The object that a checked part or its node describes, parts inside it first.

    Raises:
        ConfigError: if any target in it is not a name of this distribution.
    """
    node = part.to_config() if isinstance(part, Part) else dict(part)
    refuse(node)
    return instantiate(node, _convert_="all")


def dataset_of(spec: RunSpec) -> QADataset:
    """The dataset of a run, as its system gets it: with chunks for documents where it says so."""
    chunker: Chunker = build(spec.chunker)  # first, for it is the quicker to say what is wrong
    return chunker.chunk(build(spec.dataset))


def system_of(spec: RunSpec) -> System:
    """The system of a run, which has learned nothing yet."""
    return System(retriever=build(spec.retriever), prompt=build(spec.prompt), adapter=build(spec.adapter), generator=build(spec.generator))


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
        if name == "_target_" and not is_ours(str(value)):
            raise ConfigError(f"{key}: {value!r} is not allowed; only names under {' and '.join(PACKAGES)} are built.")
        if name in {"_args_", "_partial_", "_recursive_", "_convert_"}:
            raise ConfigError(f"{key} is not allowed in a configuration; give parameters by name.")
        if value and is_secret(str(name)):
            raise ConfigError(f"{key} looks like a secret; give it through the environment, not through the configuration.")
        refuse(value, key)
