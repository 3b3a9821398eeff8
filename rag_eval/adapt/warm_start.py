"""Warm start from an existing adapter, which is trained further or merged below a new one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from rag_eval.adapt.adapter_files import CONFIG, WEIGHTS, check_safe
from rag_eval.errors import ConfigError, DataError
from rag_eval.models.model_files import fingerprint
from rag_eval.protocols import Trainable

LAYERS = {"target_modules": "target_modules", "use_dora": "dora"}  # key in adapter_config.json -> setting adapter.*
SIZES = {"r": "rank", "lora_alpha": "alpha", "use_rslora": "rank_stabilised"}
UNEVEN = ("rank_pattern", "alpha_pattern", "exclude_modules", "layers_to_transform", "layers_pattern")


@dataclass(frozen=True)
class WarmStart:
    """The adapter of a folder as the start of a training."""

    folder: Path
    is_stacked: bool  # whether it is merged into the frozen weights below a new adapter; else it is trained further

    @property
    def sha(self) -> str:
        """Fingerprint of the adapter."""
        return fingerprint(self.folder)

    def check(self, lora: Mapping[str, Any]) -> None:
        """Check that an adapter can be the start of one with this configuration.

        Args:
            lora: configuration of the new adapter.

        Raises:
            DataError: if the folder is not a LoRA adapter that is safe to load, or has another shape.
        """
        check_safe(str(self.folder))
        stated = self._config()
        for key in UNEVEN:
            if stated.get(key):
                raise DataError(f"{self.folder / CONFIG}: {key!r} is set; expected an adapter that is alike in all its layers.")
        for key, name in (LAYERS if self.is_stacked else LAYERS | SIZES).items():
            found, wanted = (_plain(one.get(key, False)) for one in (stated, lora))
            if found != wanted:
                raise DataError(f"adapter.start={self.folder}: {key} is {found}, adapter.{name} is {wanted}; expected the same. Set it so.")

    def check_asked_alike(self, generator: Trainable) -> None:
        """Check that the adapter has the model's chat template and tokenizer, since the new adapter would not include its own.

        Args:
            generator: generator with the base model.

        Raises:
            DataError: if it has not.
        """
        own, usual = (one.identity().get("prompting") for one in (generator.with_adapter(str(self.folder)), generator))
        if own != usual:
            raise DataError(
                f"adapter.start={self.folder}: brings a chat template or tokenizer of its own, which an adapter that goes on from it would "
                "not keep. Put them into a copy of the model's folder, and take them out of the adapter's."
            )

    def frozen(self, model: Any) -> Any:
        """Base of the new adapter: the model, in float32 with this adapter merged if it is stacked."""
        return PeftModel.from_pretrained(model, str(self.folder)).merge_and_unload(safe_merge=True) if self.is_stacked else model

    def begin(self, model: Any) -> None:
        """Initialise a PEFT model with this adapter, unless it is stacked.

        Args:
            model: the PEFT model.

        Raises:
            DataError: if the layers differ.
        """
        weights = load_file(self.folder / WEIGHTS)
        if weights.keys() != get_peft_model_state_dict(model).keys():
            odd = min(weights.keys() ^ get_peft_model_state_dict(model).keys())
            raise DataError(
                f"adapter.start={self.folder}: expected the layers of adapter.target_modules, but {odd} is only in one of both."
            )
        if not self.is_stacked:
            set_peft_model_state_dict(model, weights)

    def joined(self, config: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Combine the weights of an adapter trained on top of this one with this one, for the original model.

        W + s0 B0 A0 + s B A = W + [s0 B0, s B] [A0; A]: the ranks add up.

        Args:
            config: configuration of the new adapter.
            path: file of its weights, rewritten in place.

        Returns:
            Changed configuration entries.
        """
        below, above = load_file(self.folder / WEIGHTS), load_file(path)
        stated = self._config()
        both = {}
        for name, weight in above.items():
            first = below[name].float()
            is_a = ".lora_A." in name
            both[name] = torch.cat([first, weight]) if is_a else torch.cat([_scale(stated) * first, _scale(config) * weight], dim=1)
        save_file(both, path, metadata={"format": "pt"})
        rank = stated["r"] + config["r"]
        return {"r": rank, "lora_alpha": rank, "use_rslora": False, "init_lora_weights": True}

    def _config(self) -> dict[str, Any]:
        """Stated configuration; for an adapter from the cache, with the target modules as configured by the user."""
        stated = json.loads((self.folder / CONFIG).read_text(encoding="utf-8"))
        try:
            asked = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))["key"]["lora"]["target_modules"]
        except (OSError, ValueError, KeyError, TypeError):
            return dict(stated)
        return {**stated, "target_modules": asked}


def start_of(folder: str | None, is_stacked: bool, lora: Mapping[str, Any], is_quantized: bool) -> WarmStart | None:
    """Start of a training.

    Args:
        folder: folder of an adapter; None = start from the base model.
        is_stacked: whether a new adapter is trained on top of it.
        lora: configuration of the new adapter.
        is_quantized: whether the frozen weights are stored in 4 bits.

    Returns:
        The start; None without an adapter.

    Raises:
        ConfigError: if settings exclude each other.
        DataError: if the adapter does not match the settings.
    """
    if folder is None:
        if is_stacked:
            raise ConfigError("adapter.stacked needs adapter.start: the folder of the adapter that a new one is trained on top of.")
        return None
    if is_stacked and (lora["use_dora"] or is_quantized):
        raise ConfigError("adapter.stacked excludes adapter.dora and adapter.quantized: the sum would be no adapter of the model; set one.")
    if not is_stacked and lora["init_lora_weights"] is not True:
        raise ConfigError(f"adapter.start gives the first weights, and so does adapter.init={lora['init_lora_weights']}; use zero.")
    start = WarmStart(Path(folder), is_stacked)
    start.check(lora)
    return start


def _plain(value: Any) -> Any:
    """A list sorted; other values unchanged."""
    return sorted(value) if isinstance(value, list) else value


def _scale(config: Mapping[str, Any]) -> float:
    """Scale of the update B A."""
    return float(config["lora_alpha"] / (math.sqrt(config["r"]) if config["use_rslora"] else config["r"]))
