"""Whether an adapter was trained for a model, decided by weights, hub id and layer shapes.

Folder names are not used.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import safe_open

from rag_eval.adapt.adapter_files import LENGTHS, WEIGHTS, config_of, parts_of
from rag_eval.errors import DataError
from rag_eval.models import model_files

log = logging.getLogger(__name__)

SNAPSHOT = re.compile(r"models--([^/]+?)--([^/]+)/snapshots/([0-9a-f]+)/?$")  # path of a model in the hub cache
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?$")
HEADS = ("lm_head", "embed_out")  # layers whose weights may be tied to the embedding

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Base:
    """A model reference."""

    name: str  # hub id or folder, of this machine or another
    revision: str | None  # of a hub model

    @property
    def folder(self) -> Path | None:
        """Local folder of the weights; None if they are not known to be on this machine."""
        if Path(self.name).is_dir():
            return Path(self.name)
        if self.hub is None:
            return None
        try:
            found = Path(snapshot_download(self.hub[0], revision=self.hub[1], local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError):
            return None
        return found if any(found.glob("*.safetensors")) else None

    @property
    def hub(self) -> tuple[str, str | None] | None:
        """Hub id and revision, from the name or the path in the hub cache; None if the model is from elsewhere."""
        is_here = Path(self.name).is_dir()
        kept = SNAPSHOT.search((Path(self.name).resolve() if is_here else Path(self.name)).as_posix())
        if kept:
            return f"{kept[1]}/{kept[2]}", kept[3]
        is_id = not is_here and HUB_ID.match(self.name) and not self.name.startswith(".")
        return (self.name, self.revision) if is_id else None

    def __str__(self) -> str:
        return f"{self.name} at {self.revision}" if self.revision else self.name


def check_fits(path: str, model: str, revision: str | None, fingerprint: str) -> None:
    """Check that an adapter was trained for a model and has matching shapes; warn if its base model is unknown.

    Args:
        path: folder of the adapter, already checked by `check_safe`.
        model: hub id or folder of the model.
        revision: revision of a hub model.
        fingerprint: fingerprint of the model.

    Raises:
        DataError: naming both models, or the first weight that does not fit.
    """
    folder, config, asked = Path(path), config_of(Path(path)), Base(model, revision)
    noted = _noted_fingerprint(folder)
    is_content = noted is not None and re.fullmatch(r"[0-9a-f]{64}", noted)
    if is_content:
        if noted not in {fingerprint, asked.folder and model_files.fingerprint(asked.folder)}:
            raise DataError(
                f"{folder}: trained for the model with fingerprint {noted}, generator.model={model} has {fingerprint}. "
                "Use the model that it was trained for."
            )
    elif noted != fingerprint:
        _check_named(folder, config, asked)
    if asked.folder:
        _check_shapes(folder, config, asked.folder)


def _check_named(folder: Path, config: Mapping[str, Any], asked: Base) -> None:
    if config.get("base_model_name_or_path") is None:
        log.warning("%s names no base model; that it was trained for %s is not known", folder, asked.name)
        return
    named = Base(config["base_model_name_or_path"], config.get("revision"))
    is_same = same_model(named, asked)
    if is_same is False:
        raise DataError(f"{folder}: trained for {named}; generator.model is {asked}. Use the model that it was trained for.")
    if is_same is None:
        log.warning(
            "%s: trained for %s, which is not on this machine: whether %s is the same is not known, only shapes of layers are compared",
            folder,
            named,
            asked,
        )


def same_model(one: Base, other: Base) -> bool | None:
    """Whether two references denote the same weights; None if this cannot be decided on this machine."""
    if one.hub and other.hub:
        (first, at), (second, elsewhere) = one.hub, other.hub
        if first.lower() == second.lower() and (at == elsewhere or {at, elsewhere} & {None, "main"}):
            return True
    if one.folder and other.folder:
        return _same_weights(one.folder, other.folder)
    return False if one.hub and other.hub else None


def _same_weights(one: Path, other: Path) -> bool:
    """Whether two folders contain the same tensors, regardless of sharding and of dtypes that represent the values exactly."""
    if one.samefile(other):
        return True
    files, others = _files_of(one), _files_of(other)
    return files.keys() == others.keys() and all(_same_tensor(files[name], others[name], name) for name in files)


def _same_tensor(one: Path, other: Path, name: str) -> bool:
    with safe_open(one, framework="pt") as file, safe_open(other, framework="pt") as file_of_other:
        first, second = file.get_tensor(name), file_of_other.get_tensor(name)
    wide = torch.promote_types(first.dtype, second.dtype)
    return torch.equal(first.to(wide), second.to(wide))


def _files_of(folder: Path) -> dict[str, Path]:
    """File of each tensor."""
    return {name: path for path in sorted(folder.glob("*.safetensors")) for name in _shapes(path)}


def _check_shapes(folder: Path, config: Mapping[str, Any], model: Path) -> None:
    path = folder / WEIGHTS
    of_model = {name: shape for file in sorted(model.glob("*.safetensors")) for name, shape in _shapes(file).items()}
    for name, shape in _shapes(path).items():
        module, kind = parts_of(path, name)
        base = _shape_of(module, of_model, model)
        if base is None and config.get("target_parameters"):
            continue  # of experts that stand apart in the file; PEFT compares them when it loads them
        if base is None:
            raise DataError(f"{path}: {module} is no layer of the model. Use the model that it was trained for.")
        if len(base) != 2:
            raise DataError(f"{path}: {module} is no linear layer of the model. Use the model that it was trained for.")
        n_out, n_in = reversed(base) if config.get("fan_in_fan_out") else base
        wanted = {"lora_A": n_in, "lora_B": n_out, LENGTHS: n_out}[kind]
        found = shape[1] if kind == "lora_A" else shape[0]
        if found != wanted:
            raise DataError(
                f"{path}: {name} is {list(shape)}, which does not fit {module}.weight {list(base)}. Use the model that it was trained for."
            )


def _shape_of(module: str, of_model: Shapes, model: Path) -> tuple[int, ...] | None:
    """Shape of a layer's weight; a head missing in the file has the shape of the embedding."""
    weight = f"{module}.weight"
    found = next((shape for key, shape in of_model.items() if key == weight or weight.endswith(f".{key}")), None)
    if found is None and module in HEADS:
        n_words = json.loads((model / "config.json").read_text(encoding="utf-8")).get("vocab_size")
        found = next((shape for shape in of_model.values() if len(shape) == 2 and shape[0] == n_words), None)
    return found


def _shapes(path: Path) -> Shapes:
    with safe_open(path, framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  it is no mapping


def _noted_fingerprint(folder: Path) -> str | None:
    """Fingerprint of the base model recorded with an adapter from rag_eval's cache."""
    try:
        noted = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["key"]["base_model"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(noted)
