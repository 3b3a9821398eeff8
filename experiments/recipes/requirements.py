"""What this machine lacks for a recipe: weights, data, a GPU."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.constants import HF_HUB_CACHE

from experiments.recipes.recipe import Recipe

GIB = 2**30


def missing(recipe: Recipe, models: Iterable[str], runs: Iterable[str], data: Path) -> list[str]:
    """One line for each thing that the chosen runs need and that is not here, and where it comes from.

    Nothing is fetched: weights are large, and some are given out only to who asks for them.
    """
    used = " ".join(one for model in models for run in runs for one in recipe.arguments(model, run, "{data}"))
    lines = [f"weights: {id}; fetch them with: hf download {id}" for id in _models(recipe, models, used) if not _has_model(id)]
    lines += [
        f"data: {id} of the hub; fetch it with: hf download --repo-type dataset {id}" for id in recipe.datasets if not _has_dataset(id)
    ]
    wanted = {name: what for name, what in recipe.files.items() if f"{{data}}/{name}" in used}
    lines += [f"data: {data / name} ({what})" for name, what in wanted.items() if not (data / name).exists()]
    found = _gpu_gib()
    if found < recipe.gpu_gib:
        lines.append(f"GPU: one of {recipe.gpu_gib} GiB; found {f'one of {found} GiB' if found else 'none'}")
    return lines


def _models(recipe: Recipe, models: Iterable[str], used: str) -> list[str]:
    """Models that answer, and embedders that are named."""
    embedders = (one.partition("=")[2] for one in used.split() if one.startswith("retriever.embedder.model="))
    return list(dict.fromkeys([*(recipe.models[model] for model in models), *embedders]))


def _has_model(id: str) -> bool:
    """Whether all of its safetensors are here; a copy that was begun has its small files first."""
    config = try_to_load_from_cache(id, "config.json")
    if not isinstance(config, str):
        return False
    folder = Path(config).parent
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return (folder / "model.safetensors").exists()
    parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / name).exists() for name in parts)


def _has_dataset(id: str) -> bool:
    return (Path(HF_HUB_CACHE) / f"datasets--{id.replace('/', '--')}").is_dir()


def _gpu_gib() -> int:
    return torch.cuda.get_device_properties(0).total_memory // GIB if torch.cuda.is_available() else 0
