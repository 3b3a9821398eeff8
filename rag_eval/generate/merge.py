"""A PEFT adapter merged into its base model."""

from __future__ import annotations

from typing import Any

from peft import PeftModel

from rag_eval.model_folder import check_model


def merged(model: Any, folder: str) -> Any:
    """The base model, in float32, with the adapter's weights added for good. The folder must hold safetensors."""
    check_model(folder)
    return PeftModel.from_pretrained(model, folder).merge_and_unload(safe_merge=True)
