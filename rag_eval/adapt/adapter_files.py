"""Safety checks of an adapter folder, from its files, before a model is loaded."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from rag_eval.errors import DataError

log = logging.getLogger(__name__)

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
RANK_AXIS = {"lora_A": 0, "lora_B": 1}
LENGTHS = "lora_magnitude_vector"  # DoRA
KINDS = {*RANK_AXIS, LENGTHS}
WHOLE, EMBEDDING = "base_layer", "lora_embedding_"


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_pattern(value: Any) -> bool:
    try:
        return bool(re.compile(value))
    except (re.error, TypeError):
        return False


def _is_names(value: Any) -> bool:
    """Whether a value is a list of names or a regular expression."""
    return all(isinstance(one, str) for one in value) if isinstance(value, list) else _is_pattern(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_rank(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_by_module(value: Any, is_one: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(_is_pattern, value)) and all(map(is_one, value.values()))


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_off(value: Any) -> bool:
    return value is None or value is False or value in ({}, [])


# Allowed values of each configuration key, and their description. Any other key must be null, false or empty.
_ALLOWED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "peft_type": (lambda value: value == "LORA", "LORA"),
    "task_type": (lambda value: value in (None, "CAUSAL_LM"), "CAUSAL_LM"),
    "bias": (lambda value: value == "none", "none"),
    "init_lora_weights": (
        lambda value: value in (True, False, "gaussian", "orthogonal"),
        "weights that go with the unchanged model: an adapter of pissa or olora is converted when it is saved",
    ),
    "r": (_is_rank, "a whole number above 0"),
    "lora_alpha": (_is_number, "a number"),
    "lora_dropout": (_is_number, "a number"),
    "rank_pattern": (lambda value: _is_by_module(value, _is_rank), "whole numbers above 0 by pattern of modules"),
    "alpha_pattern": (lambda value: _is_by_module(value, _is_number), "numbers by pattern of modules"),
    "target_modules": (_is_names, "names of modules"),
    "target_parameters": (lambda value: value is None or (isinstance(value, list) and _is_names(value)), "names of parameters"),
    "exclude_modules": (lambda value: value is None or _is_names(value), "names of modules"),
    "layers_pattern": (lambda value: value is None or _is_names(value), "names of modules"),
    "layers_to_transform": (lambda value: value is None or isinstance(value, int | list), "numbers of layers"),
    "base_model_name_or_path": (_is_text, "a name"),
    "revision": (_is_text, "a name"),
    "peft_version": (_is_text, "a version"),
    "fan_in_fan_out": (_is_bool, "true or false"),
    "inference_mode": (_is_bool, "true or false"),
    "use_dora": (_is_bool, "true or false"),
    "use_rslora": (_is_bool, "true or false"),
    "megatron_core": (lambda value: value in (None, "megatron.core"), "megatron.core"),
    "qalora_group_size": (_is_number, "a number"),  # read only where use_qalora is on, which it may not be
}


def check_safe(path: str) -> None:
    """Check that a folder contains a LoRA adapter that can be loaded without executing code or unpickling.

    A warning is logged if the adapter does not change the model.

    Args:
        path: folder of the adapter.

    Raises:
        DataError: naming the file, the expected and the found content.
    """
    folder = Path(path)
    if not (folder / CONFIG).is_file():
        raise DataError(f"{folder}: expected a PEFT adapter, found no {CONFIG} in it. Check adapter.path or adapter.start.")
    if not (folder / WEIGHTS).is_file():
        pickled = any(folder.glob("adapter_model*.bin"))
        found = "pickle weights, which are refused; convert them to safetensors" if pickled else "none; get the file again"
        raise DataError(f"{folder}: expected {WEIGHTS}, found {found}.")
    config = config_of(folder)
    for key, value in config.items():
        is_allowed, expected = _ALLOWED.get(key, (_is_off, "nothing but null, false or empty, for nothing else is known to be safe"))
        if not is_allowed(value):
            raise DataError(f"{folder / CONFIG}: {key!r} is {json.dumps(value)[:80]}; expected {expected}. Use another adapter.")
    for key in ("peft_type", "r"):
        if key not in config:
            raise DataError(f"{folder / CONFIG}: {key!r} is missing. Get the file again.")
    _check_weights(folder / WEIGHTS, config)


def _check_weights(path: Path, config: Mapping[str, Any]) -> None:
    """Check that every tensor is of a known kind, finite and of the configured rank, and that no module is incomplete.

    Args:
        path: file of the weights.
        config: configuration of the adapter.

    Raises:
        DataError: naming the first fault.
    """
    changes = False
    kinds = {*RANK_AXIS, LENGTHS} if config.get("use_dora") else {*RANK_AXIS}
    ranks: dict[str, dict[str, int]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  it is no mapping
                tensor = file.get_tensor(name)
                module, kind = parts_of(path, name)
                if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
                    raise DataError(f"{path}: the weight {name} is not finite, or of whole numbers. Get the file again.")
                is_flat = tensor.ndim == (1 if kind == LENGTHS else 2)
                ranks.setdefault(module, {})[kind] = tensor.shape[RANK_AXIS.get(kind, 0)] if is_flat else 0
                changes = changes or (kind == "lora_B" and bool(tensor.any()))
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a whole safetensors file: {error}. Get the file again.") from error
    if not ranks:
        raise DataError(f"{path}: holds no weights. Get the file again.")
    for module, found in ranks.items():
        if found.keys() != kinds:
            expected = f"{', '.join(sorted(kinds))} with use_dora={str(LENGTHS in kinds).lower()} of {CONFIG}"
            raise DataError(f"{path}: {module} has {', '.join(sorted(found))}; expected {expected}. Get both files again.")
        if found.pop(LENGTHS, 1) < 1:
            raise DataError(f"{path}: {module}.{LENGTHS} is no row of numbers. Get the file again.")
        rank, *others = set(found.values())
        if others or not _is_rank_of(rank, config):
            shown = ", ".join(f"{kind} of rank {rank}" for kind, rank in found.items())
            raise DataError(f"{path}: {module} has {shown}; expected r={config['r']} of {CONFIG}. Get both files again.")
    if not changes:
        log.warning("%s: the adapter is the identity: it has no lora_B that is not zero, so it changes no answer", path)


def _is_rank_of(rank: int, config: Mapping[str, Any]) -> bool:
    """Whether a rank is allowed by the configuration; a parameter that stacks several experts has a multiple of it."""
    wanted = {config["r"], *config.get("rank_pattern", {}).values()}
    return rank in wanted or (bool(config.get("target_parameters")) and rank > 0 and any(rank % one == 0 for one in wanted))


def parts_of(path: Path, name: str) -> tuple[str, str]:
    """Module of a weight, and its kind.

    Args:
        path: file of the weights, for error messages.
        name: name of the tensor.

    Returns:
        Module name and one of `KINDS`.

    Raises:
        DataError: if the tensor is not a LoRA weight of a linear layer.
    """
    module, _, kind = name.removeprefix(PREFIX).removesuffix(".weight").rpartition(".")
    if kind == WHOLE:
        raise DataError(
            f"{path}: {name} is the weights of a layer as a whole, which PEFT writes beside adapters of an embedding or a head "
            "and which would take the place of the model's. Save the adapter again with save_pretrained(..., save_embedding_layers=False)."
        )
    if kind.startswith(EMBEDDING):
        raise DataError(
            f"{path}: {name} adapts an embedding; expected linear layers only: where input and output share it, it cannot be merged. "
            "Use another adapter."
        )
    if not name.startswith(PREFIX) or kind not in KINDS:
        raise DataError(f"{path}: expected weights named {PREFIX}<layer>.lora_A.weight, found {name!r}. Use another adapter.")
    return module, kind


def config_of(folder: Path) -> dict[str, Any]:
    """Configuration of an adapter.

    Args:
        folder: folder of the adapter.

    Returns:
        Content of adapter_config.json.

    Raises:
        DataError: if it is not a JSON object.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{folder / CONFIG}: expected JSON: {error}. Get the file again.") from error
    if not isinstance(config, dict):
        raise DataError(f"{folder / CONFIG}: expected a JSON object, found {type(config).__name__}. Get the file again.")
    return config
