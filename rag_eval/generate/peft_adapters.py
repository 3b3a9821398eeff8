"""Loading of PEFT adapters: merged into the base model, or one or several computed separately."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open

from rag_eval.errors import DataError
from rag_eval.models.model_files import check_model

WEIGHTS = "adapter_model.safetensors"


def merged(model: Any, folder: str) -> Any:
    """Base model in float32 with the adapter's weights merged.

    Args:
        model: base model, changed in place.
        folder: folder of the adapter.

    Returns:
        The merged model.

    Raises:
        DataError: if the adapter has no safetensors file, does not match the model, or the merged weights are not finite.
    """
    separate = adapted(model, folder)
    _untie_head(separate)
    try:
        return separate.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise DataError(f"the adapter {folder} makes weights that are not finite. Use another adapter.") from error


def adapted(model: Any, folder: str) -> Any:
    """Base model with a separate adapter.

    Args:
        model: base model, changed in place.
        folder: folder of the adapter.

    Returns:
        A PEFT model.

    Raises:
        DataError: if the adapter has no safetensors file or does not match the model.
    """
    return beside(model, {"default": folder})


def beside(model: Any, folders: Mapping[str, str]) -> Any:
    """Base model with several separate adapters, the first of which is active.

    Args:
        model: base model, changed in place.
        folders: folders of the adapters, at least one, by valid module names.

    Returns:
        A PEFT model.

    Raises:
        DataError: if an adapter has no safetensors file or does not match the model.
    """
    for name, folder in folders.items():
        model = _with(model, name, folder)
    return model


def _untie_head(model: PeftModel) -> None:
    """Untie an adapted LM head from the embedding, so that merging into the head does not change the embedding."""
    network = model.get_base_model()
    head, embedding = network.get_output_embeddings(), network.get_input_embeddings()
    if isinstance(head, BaseTunerLayer) and head.get_base_layer().weight is embedding.weight:
        layer = head.get_base_layer()
        layer.weight = torch.nn.Parameter(layer.weight.detach().clone(), requires_grad=False)
        network.config.get_text_config().tie_word_embeddings = False


def _with(model: Any, name: str, folder: str) -> Any:
    """Add an adapter to a model.

    Args:
        model: base model or PEFT model.
        name: name of the adapter.
        folder: folder of the adapter.

    Returns:
        A PEFT model.

    Raises:
        DataError: if the adapter has no safetensors file or does not match the model.
    """
    check_model(folder)
    if not (Path(folder) / WEIGHTS).is_file():  # PEFT would otherwise load a pickle
        raise DataError(f"the adapter {folder} has no {WEIGHTS}; convert it to safetensors.")
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # missing weights raise an error below
            if isinstance(model, PeftModel):
                model.load_adapter(folder, name)
            else:
                model = PeftModel.from_pretrained(model, folder, adapter_name=name)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"the adapter {folder} does not fit the model: {' '.join(str(error).split())[:300]}") from error
    _check_whole(model, name, Path(folder))
    return model


def _check_whole(model: Any, name: str, folder: Path) -> None:
    """Check that stored weights and configuration agree; PEFT ignores surplus weights and initialises missing ones.

    Args:
        model: PEFT model.
        name: name of the adapter.
        folder: folder of the adapter.

    Raises:
        DataError: naming the first weight that differs.
    """
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        stored = set(file.keys())
    odd = sorted(stored ^ set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)))
    if odd:
        raise DataError(
            f"the adapter {folder}: adapter_config.json and {WEIGHTS} disagree on {len(odd)} weights (first: {odd[0]}, "
            f"{'stored' if odd[0] in stored else 'not stored'}). Get both files again."
        )
