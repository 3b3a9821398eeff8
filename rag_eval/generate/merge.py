"""A PEFT adapter over its base model: merged into the weights, or beside them."""

from __future__ import annotations

from typing import Any

from peft import PeftModel

from rag_eval.errors import DataError
from rag_eval.model_folder import check_model


def merged(model: Any, folder: str) -> Any:
    """The base model, in float32, with the adapter's weights added for good. The folder must hold safetensors."""
    return adapted(model, folder).merge_and_unload(safe_merge=True)


def adapted(model: Any, folder: str) -> Any:
    """The base model with the adapter beside its weights. The folder must hold safetensors.

    Raises:
        DataError: if the adapter's weights do not fit the model.
    """
    check_model(folder)
    try:
        return PeftModel.from_pretrained(model, folder)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"the adapter {folder} does not fit the model: {' '.join(str(error).split())[:300]}") from error
