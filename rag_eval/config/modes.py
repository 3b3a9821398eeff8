"""The modes, and whether the parts of a configuration are those that its mode stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import yaml

from rag_eval.conf_folder import conf_dir
from rag_eval.config.signature import signature
from rag_eval.errors import ConfigError
from rag_eval.run_spec import Mode, Part, RunSpec
from rag_eval.types import Context, Weights

EXAMPLES = {"context": "retrieved", "weights": "trained"}  # of what a class declares, for messages


def modes() -> list[Mode]:
    """All modes of conf/mode, by file name."""
    return [Mode(**yaml.safe_load(path.read_text(encoding="utf-8"))["mode"]) for path in sorted((conf_dir() / "mode").glob("*.yaml"))]


def check_mode(spec: RunSpec) -> None:
    """Refuse a mode whose parts are of other kinds than the mode stands for.

    Args:
        spec: the run, with valid parts.

    Raises:
        ConfigError: if a part contradicts the mode; names the mode with these parts if there is one. Also if the class of a part does
            not declare what modes go by.
    """
    mode = spec.mode
    found = {
        "context": _declared(spec.retriever, "retriever", "context", Context),
        "weights": _declared(spec.adapter, "adapter", "weights", Weights),
        "has_passages": _has_passages(spec.adapter),
    }
    demanded = {"context": "retriever", "weights": "adapter", "has_passages": "adapter.data"}
    for field, part in demanded.items():
        wanted, got = getattr(mode, field), found[field]
        if wanted != got:
            meant = next((one.name for one in modes() if all(getattr(one, name) == found[name] for name in demanded)), None)
            hint = f"use mode={meant}" if meant else f"leave {part} to the mode"
            raise ConfigError(f"mode={mode.name} contradicts {part}: {field} is {got!r}, the mode means {wanted!r}; {hint}.")
    if mode.has_exemplars and spec.prompt.get("n_exemplars", 0) in (0, "auto"):
        raise ConfigError(f"mode={mode.name} shows exemplars; set prompt.n_exemplars to how many, at least 1.")
    if found["weights"] == "trained" and "with_adapter" not in signature(spec.generator.target).methods:
        raise ConfigError(f"mode={mode.name} trains weights, but {spec.generator.target} has none; use generator=tiny, smollm2 or hf.")


def check_dataset_suits(mode: str, dataset: Mapping[str, Any]) -> None:
    """Refuse a dataset that lacks a parameter that the mode's file sets.

    Args:
        mode: its name.
        dataset: the node of the configuration.

    Raises:
        ConfigError: naming the datasets that have it.
    """
    file = conf_dir() / "mode" / f"{mode}.yaml"
    own = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("dataset", {}) if file.is_file() else {}
    for name in own:
        if name in dataset and "_target_" in dataset and not _takes(dataset["_target_"], name):
            those = {
                path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((conf_dir() / "dataset").glob("*.yaml"))
            }
            having = [one for one, node in those.items() if "_target_" in node and _takes(node["_target_"], name)]
            raise ConfigError(
                f"mode={mode} sets dataset.{name}, which this dataset does not have; use another mode, or one of the datasets that have "
                f"it: {', '.join(having)}."
            )


def _declared(part: Part, where: str, name: str, kind: Any) -> str:
    """What the class of a part declares of it, as its source says it.

    Args:
        part: the part.
        where: dotted key of the part.
        name: of the class attribute.
        kind: the Literal of the words that it may be.

    Returns:
        The word.

    Raises:
        ConfigError: if the body of the class has no annotated assignment of one of the words to the attribute.
    """
    found, words = signature(part.target).constants.get(name), get_args(kind)
    if found in words:
        return str(found)
    line = f'{name}: {name.capitalize()} = "{EXAMPLES[name]}"'
    raise ConfigError(
        f"{where}: the mode is checked against what {part.target} declares, and it declares no valid {name}; expected `{line}` in the "
        f"class body, with the annotation, the value one of {', '.join(map(repr, words))}."
    )


def _takes(target: str, name: str) -> bool:
    model = signature(target).model
    return model is not None and name in model.model_fields


def _has_passages(adapter: Part) -> bool:
    data = adapter.get("data")
    return isinstance(data, Part) and bool(signature(data.target).constants.get("has_passages"))
