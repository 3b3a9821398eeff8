"""PEFT adapters over their base model: one merged into the weights or beside them, or several beside them."""

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
from rag_eval.model_folder import check_model

WEIGHTS = "adapter_model.safetensors"


def merged(model: Any, folder: str) -> Any:
    """The base model, in float32, with the adapter's weights added for good.

    Raises:
        DataError: if the adapter has no safetensors, does not fit the model, or leaves weights that are no numbers.
    """
    separate = adapted(model, folder)
    _untie_head(separate)
    try:
        return separate.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise DataError(f"the adapter {folder} makes weights that are not finite. Use another adapter.") from error


def adapted(model: Any, folder: str) -> Any:
    """The base model with the adapter beside its weights.

    Raises:
        DataError: if the adapter has no safetensors, or its weights do not fit the model.
    """
    return beside(model, {"default": folder})


def beside(model: Any, folders: Mapping[str, str]) -> Any:
    """The base model with several adapters beside its weights, the first of which answers.

    Args:
        model: the base model.
        folders: of the adapters, at least one, by names that a module may have.

    Raises:
        DataError: if an adapter has no safetensors, or its weights do not fit the model.
    """
    for name, folder in folders.items():
        model = _with(model, name, folder)
    return model


def _untie_head(model: PeftModel) -> None:
    """Give an adapted head weights of its own: where they are the embedding's too, what is added to the head must not reach that."""
    network = model.get_base_model()
    head, embedding = network.get_output_embeddings(), network.get_input_embeddings()
    if isinstance(head, BaseTunerLayer) and head.get_base_layer().weight is embedding.weight:
        layer = head.get_base_layer()
        layer.weight = torch.nn.Parameter(layer.weight.detach().clone(), requires_grad=False)
        network.config.get_text_config().tie_word_embeddings = False


def _with(model: Any, name: str, folder: str) -> Any:
    """The model, adapted before or not, with one more adapter beside its weights."""
    check_model(folder)
    if not (Path(folder) / WEIGHTS).is_file():  # or PEFT would open a pickle
        raise DataError(f"the adapter {folder} has no {WEIGHTS}; convert it to safetensors.")
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of missing weights, which are refused
            if isinstance(model, PeftModel):
                model.load_adapter(folder, name)
            else:
                model = PeftModel.from_pretrained(model, folder, adapter_name=name)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"the adapter {folder} does not fit the model: {' '.join(str(error).split())[:300]}") from error
    _check_whole(model, name, Path(folder))
    return model


def _check_whole(model: Any, name: str, folder: Path) -> None:
    """PEFT leaves out weights of layers that the configuration does not name, and makes up those that the file lacks."""
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        stored = set(file.keys())
    odd = sorted(stored ^ set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)))
    if odd:
        raise DataError(
            f"the adapter {folder}: adapter_config.json and {WEIGHTS} disagree on {len(odd)} weights (first: {odd[0]}, "
            f"{'stored' if odd[0] in stored else 'not stored'}). Get both files again."
        )
