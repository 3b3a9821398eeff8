"""Checks of a loaded network: all weights present and finite, vocabulary covered, and causal attention.

transformers initialises missing weights randomly and loads an encoder as a decoder without an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rag_eval.errors import DataError

LOOK_AHEAD = 1e-3  # tolerated influence of a later token on earlier logits, relative to the largest logit


def check_whole(model: str, loading: Mapping[str, Any]) -> None:
    """Check that no weights are missing, have another shape, or failed to load.

    Args:
        model: name given by the user.
        loading: loading info of `from_pretrained(..., output_loading_info=True)`.

    Raises:
        DataError: naming the first such weight.
    """
    for key, what in (("missing_keys", "lacks"), ("mismatched_keys", "has another shape of"), ("error_msgs", "fails to load")):
        odd = sorted(str(one[0] if isinstance(one, tuple) else one) for one in loading.get(key) or ())
        if odd:
            raise DataError(
                f"generator.model={model}: the file of weights {what} {len(odd)} that the configuration names (first: {odd[0]}); "
                "they would be random. Get the whole model, or one whose config.json belongs to these weights."
            )


def check_finite(model: str, network: Any) -> None:
    """Check that all weights are finite.

    Args:
        model: name given by the user.
        network: the network.

    Raises:
        DataError: naming the first weight that is not.
    """
    odd = next((name for name, weight in network.named_parameters() if not _is_finite(weight)), None)
    if odd is not None:
        raise DataError(f"generator.model={model}: the weights {odd} hold values that are not finite. Get the file again.")


def check_vocabulary(model: str, tokenizer: Any, network: Any) -> None:
    """Check that every token has an embedding, except a padding token.

    Args:
        model: name given by the user.
        tokenizer: tokenizer of the model.
        network: the network.

    Raises:
        DataError: naming the first token without an embedding.
    """
    n_rows = network.get_input_embeddings().weight.shape[0]
    padding = {str(tokenizer.pad_token), str(tokenizer.init_kwargs.get("pad_token"))}  # as it is, and as its folder names it
    beyond = sorted((id, token) for token, id in tokenizer.get_vocab().items() if id >= n_rows and token not in padding)
    if beyond:
        raise DataError(
            f"generator.model={model}: the tokenizer has {len(beyond)} tokens beyond the {n_rows} that the weights embed "
            f"(first: {beyond[0][1]!r}, id {beyond[0][0]}). Use the tokenizer that belongs to the weights."
        )


@torch.inference_mode()
def check_causal(model: str, network: Any) -> None:
    """Check that later tokens do not affect the logits of earlier ones, as they do in encoders.

    Args:
        model: name given by the user.
        network: in eval mode, on its device.

    Raises:
        DataError: if the last of three tokens changes the logits of the first two.
    """
    n_words = network.get_input_embeddings().weight.shape[0]
    tokens = torch.tensor([[5, 6, 7], [5, 6, 8]], device=network.device) % n_words
    first, other = network(input_ids=tokens).logits[:, :2].float()
    if not torch.allclose(first, other, rtol=0, atol=LOOK_AHEAD * float(first.abs().max())):
        raise DataError(f"generator.model={model} reads ahead, so it is an encoder and writes no text. Use a causal language model.")


def _is_finite(weight: torch.Tensor) -> bool:
    return not weight.is_floating_point() or bool(torch.isfinite(weight).all())
