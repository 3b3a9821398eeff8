"""Loading of encoders: validation of weights, choice of dtype, and conversion of library errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError
from transformers.utils.logging import disable_progress_bar

from rag_eval.device import faster_dtype
from rag_eval.errors import DataError, EnvironmentFault

Model = TypeVar("Model")


def resolved(dtype: Literal["auto", "float32", "bfloat16"], device: torch.device) -> Literal["float32", "bfloat16"]:
    """The dtype itself; for "auto", bfloat16 if the device multiplies it clearly faster than float32, measured once per process."""
    return dtype if dtype != "auto" else faster_dtype(device.type)


@contextmanager
def loading(key: str, model: str) -> Iterator[None]:
    """Convert library errors during loading to one-line errors of this package.

    Args:
        key: configuration key of the model.
        model: model name or folder.

    Yields:
        Nothing.

    Raises:
        DataError: if the model is faulty.
        EnvironmentFault: if a file cannot be read.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        said = f"{key}={model} could not be loaded: {' '.join(str(error).split())}"
        if getattr(error, "errno", None) is not None:
            raise EnvironmentFault(said) from error
        raise DataError(said) from error


def loaded(kind: Callable[..., Model], folder: Path, device: torch.device, dtype: str, key: str, model: str) -> Model:
    """Load a model of sentence-transformers from safetensors, without executing code of the model and without the hub.

    Args:
        kind: class of the model, such as SentenceTransformer.
        folder: checked folder of the model.
        device: device of the model.
        dtype: dtype of the weights.
        key: configuration key of the model, for error messages.
        model: model name or folder, for error messages.

    Returns:
        The model.

    Raises:
        DataError: if the model is faulty.
        EnvironmentFault: if a file cannot be read.
    """
    disable_progress_bar()  # of the weights' loading
    with loading(key, model):
        return kind(
            str(folder),
            device=str(device),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": dtype},
        )


def check_network(network: Any, tokenizer: Any, key: str, model: str) -> None:
    """Check that all weights are finite and that every token has an embedding.

    Args:
        network: the model.
        tokenizer: its tokenizer.
        key: configuration key of the model, for error messages.
        model: model name or folder, for error messages.

    Raises:
        DataError: naming the first invalid weight, or both vocabulary sizes.
    """
    for name, weight in network.named_parameters():
        if not bool(weight.isfinite().all()):
            raise DataError(f"{key}={model}: the weight {name} is not finite. Get the file again.")
    n_rows = network.get_input_embeddings().weight.shape[0]
    n_tokens = max(tokenizer.get_vocab().values()) + 1
    if n_tokens > n_rows:
        raise DataError(
            f"{key}={model}: the tokenizer has {n_tokens} tokens, the network vectors for {n_rows}. They do not belong together."
        )
