"""The modes, and whether the parts of a configuration are those that its mode stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from rag_eval.config.paths import conf_dir
from rag_eval.config.signature import STRICT, signature
from rag_eval.errors import ConfigError


class Mode(BaseModel):
    """What a mode demands of its parts, so that a contradiction is noticed."""

    model_config = STRICT
    name: str
    context: str  # the retriever's
    weights: str  # the adapter's
    has_exemplars: bool  # whether solved questions are what the arm adds to the others' prompt
    train_share: float  # of a source without splits of its own, divided by cluster
    has_passages: bool = False  # whether training shows every question with passages


def modes() -> list[Mode]:
    """All modes of conf/mode, by file name."""
    return [Mode(**yaml.safe_load(path.read_text(encoding="utf-8"))["mode"]) for path in sorted((conf_dir() / "mode").glob("*.yaml"))]


def check_mode(settings: Mapping[str, Any]) -> None:
    """The parts are those that the mode stands for."""
    found = Mode(
        name="",
        context=str(signature(settings["retriever"]["_target_"]).constants.get("context")),
        weights=str(signature(settings["adapter"]["_target_"]).constants.get("weights")),
        has_exemplars=False,
        train_share=0.0,
        has_passages=_has_passages(settings["adapter"]),
    )
    mode = Mode(**settings["mode"])
    demanded = {"context": "retriever", "weights": "adapter", "has_passages": "adapter.data"}
    for field, part in demanded.items():
        wanted, got = getattr(mode, field), getattr(found, field)
        if wanted != got:
            meant = next(
                (one.name for one in modes() if all(getattr(one, f) == getattr(found, f) for f in demanded)),
                None,
            )
            hint = f"use mode={meant}" if meant else f"leave {part} to the mode"
            raise ConfigError(f"mode={mode.name} contradicts {part}: {field} is {got!r}, the mode means {wanted!r}; {hint}.")
    if mode.has_exemplars and settings["prompt"].get("n_exemplars", 0) in (0, "auto"):
        raise ConfigError(f"mode={mode.name} shows exemplars; set prompt.n_exemplars to how many, at least 1.")
    if found.weights == "trained" and "with_adapter" not in signature(settings["generator"]["_target_"]).methods:
        raise ConfigError(
            f"mode={mode.name} trains weights, but {settings['generator']['_target_']} has none; use generator=tiny, smollm2 or hf."
        )


def check_dataset_suits(settings: Mapping[str, Any]) -> None:
    """Every parameter of the dataset that the mode's file sets is one that the dataset has."""
    mode, dataset = settings["mode"]["name"], settings["dataset"]
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


def _takes(target: str, name: str) -> bool:
    model = signature(target).model
    return model is not None and name in model.model_fields


def _has_passages(adapter: Mapping[str, Any]) -> bool:
    return "data" in adapter and bool(signature(adapter["data"]["_target_"]).constants.get("has_passages"))
