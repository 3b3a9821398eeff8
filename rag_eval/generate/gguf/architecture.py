"""Conversion of a GGUF file's architecture to the configuration and weight names of transformers.

Every metadata key that affects computation is either converted or rejected by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_eval.errors import DataError
from rag_eval.generate.gguf.file import GGUF, Tensor

# Name of a weight in the file -> name in transformers.
_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}
_BIASES = {f"attn_{one}.bias": f"self_attn.{one}_proj.bias" for one in "qkv"}
FACTORS = "rope_freqs.weight"  # divisors of the rotary frequencies, for context extension
_NORMS = {f"attn_{one}_norm.weight": f"self_attn.{one}_norm.weight" for one in "qk"}
# Supported keys of an architecture; any other key must have a value that disables its feature.
_KEYS = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
)
_OFF = (0, 0.0, False, "", "none")


@dataclass(frozen=True)
class Architecture:
    """Properties of one kind of model."""

    class_name: str  # of transformers
    more: Mapping[str, str]  # additional weights of a layer
    is_interleaved: bool  # rotary embeddings rotate adjacent values; transformers rotates values half a head apart
    has_factors: bool  # whether it uses FACTORS
    config: Mapping[str, Any]  # additional configuration entries


ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture("LlamaForCausalLM", {}, True, True, {"attention_bias": False, "mlp_bias": False}),
    "qwen2": Architecture("Qwen2ForCausalLM", _BIASES, False, False, {"use_sliding_window": False}),
    "qwen3": Architecture("Qwen3ForCausalLM", _NORMS, False, False, {"attention_bias": False, "use_sliding_window": False}),
}


def architecture(file: GGUF) -> Architecture:
    """Architecture of a file.

    Args:
        file: header of the file.

    Returns:
        One of `ARCHITECTURES`.

    Raises:
        DataError: if the architecture, or a feature that the file enables, is not supported.
    """
    name = str(file.metadata.get("general.architecture"))
    if name not in ARCHITECTURES:
        raise DataError(f"{file.path}: the architecture {name!r} is not supported; supported: {', '.join(ARCHITECTURES)}.")
    for key, value in file.metadata.items():
        if key.startswith(f"{name}.") and key.removeprefix(f"{name}.") not in _KEYS and value not in _OFF:
            raise DataError(f"{file.path}: {key}={str(value)[:60]} is not supported. Use a model without it, or its safetensors folder.")
    return ARCHITECTURES[name]


def factors(file: GGUF) -> Tensor | None:
    """Tensor with the divisors of the rotary frequencies; None if the model has none."""
    return file.tensors.get(FACTORS) if architecture(file).has_factors else None


def config(file: GGUF, divisors: Sequence[float] | None) -> dict[str, Any]:
    """Configuration of a file's model as in config.json, without tokenizer entries.

    Args:
        file: header of the file.
        divisors: divisors of the rotary frequencies, if any.

    Returns:
        Entries of config.json.

    Raises:
        DataError: if a number is missing or two of them contradict each other.
    """
    kind = architecture(file)
    heads, width = _number(file, "attention.head_count"), _number(file, "embedding_length")
    key_heads, head_dim = _number(file, "attention.head_count_kv", heads), _number(file, "attention.key_length", width // heads)
    if heads % key_heads or head_dim % 2:
        raise DataError(f"{file.path}: {heads} heads of {head_dim} values over {key_heads} of keys do not fit. Get the file again.")
    for key in ("attention.value_length", "rope.dimension_count"):
        if _number(file, key, head_dim) != head_dim:
            raise DataError(f"{file.path}: {key} is {_number(file, key)}, a head has {head_dim} values. Such models are not supported.")
    return {
        "architectures": [kind.class_name],
        "model_type": file.metadata["general.architecture"],
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": _number(file, "feed_forward_length"),
        "num_hidden_layers": _number(file, "block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "head_dim": head_dim,
        "max_position_embeddings": _number(file, "context_length"),
        "rms_norm_eps": _shortest(_number(file, "attention.layer_norm_rms_epsilon", of=float)),
        "rope_parameters": {"rope_theta": _number(file, "rope.freq_base", 10000.0, of=float)} | _scaled(file, head_dim, divisors),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        **kind.config,
    }


def names(file: GGUF) -> dict[str, str]:
    """Name of each weight in the file -> name in transformers, in the order of the layers.

    Args:
        file: header of the file.

    Returns:
        The mapping.

    Raises:
        DataError: naming a weight that is missing or not supported.
    """
    layer = {**_LAYER, **architecture(file).more}
    top = {name: other for name, other in _TOP.items() if name in file.tensors or name != "output.weight"}
    if (n_layers := _number(file, "block_count")) > len(file.tensors):
        raise DataError(f"{file.path}: {n_layers} layers, but {len(file.tensors)} weights in all. Get the file again.")
    wanted = top | {f"blk.{at}.{name}": f"model.layers.{at}.{other}" for at in range(n_layers) for name, other in layer.items()}
    if missing := wanted.keys() - file.tensors.keys():
        raise DataError(f"{file.path}: {len(missing)} weights are missing (first: {min(missing)}). Get the file again.")
    read_apart = {FACTORS} if factors(file) else set()
    if more := file.tensors.keys() - wanted.keys() - read_apart:
        raise DataError(f"{file.path}: {len(more)} weights are not supported (first: {min(more)}). Use the model's safetensors folder.")
    return wanted


def shape(name: str, config: Mapping[str, Any], n_tokens: int) -> tuple[int, ...]:
    """Expected shape of a weight.

    Args:
        name: name in transformers.
        config: configuration as in config.json.
        n_tokens: vocabulary size.

    Returns:
        The shape.
    """
    width, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    part, kind = name.split(".")[-2:]
    rows = {"q_proj": queries, "k_proj": keys, "v_proj": keys}
    if kind == "bias":
        return (rows[part],)
    if part.endswith("norm"):
        return (head,) if part in ("q_norm", "k_norm") else (width,)
    both = {
        "embed_tokens": (n_tokens, width),
        "lm_head": (n_tokens, width),
        "o_proj": (width, queries),
        "gate_proj": (inner, width),
        "up_proj": (inner, width),
        "down_proj": (width, inner),
    }
    return both[part] if part in both else (rows[part], width)


def as_transformers(values: NDArray[np.float32], name: str, file: GGUF) -> NDArray[np.float32]:
    """Reorder the rows of a weight for the rotary layout of transformers.

    Args:
        values: the weight in its shape.
        name: name in the file.
        file: header of the file.

    Returns:
        The weight, reordered if it is a query or key projection of an interleaved architecture.
    """
    if not architecture(file).is_interleaved or not name.endswith(("attn_q.weight", "attn_k.weight")):
        return values
    heads = _number(file, "attention.head_count")
    if "attn_k" in name:
        heads = _number(file, "attention.head_count_kv", heads)
    pairs = values.reshape(heads, values.shape[0] // heads // 2, 2, values.shape[1])
    return pairs.swapaxes(1, 2).reshape(values.shape)


def _scaled(file: GGUF, head_dim: int, divisors: Sequence[float] | None) -> dict[str, Any]:
    """Scaling of the rotary frequencies; "longrope" is the transformers name for individual divisors.

    Args:
        file: header of the file.
        head_dim: width of a head.
        divisors: divisors, or None.

    Returns:
        Entries of `rope_parameters`.

    Raises:
        DataError: if the divisors have the wrong number or sign.
    """
    if divisors is None:
        return {"rope_type": "default"}
    if len(divisors) != head_dim // 2 or min(divisors) <= 0:
        raise DataError(f"{file.path}: {FACTORS} holds {len(divisors)} numbers; expected {head_dim // 2} above 0. Get the file again.")
    unscaled = {"factor": 1.0, "attention_factor": 1.0, "original_max_position_embeddings": _number(file, "context_length")}
    return {"rope_type": "longrope", "short_factor": list(divisors), "long_factor": list(divisors), **unscaled}


def _number(file: GGUF, key: str, default: float | None = None, of: type[int] | type[float] = int) -> Any:
    full = f"{file.metadata['general.architecture']}.{key}"
    found = file.metadata.get(full, default)
    if isinstance(found, bool) or not isinstance(found, of) or not 0 < found < inf:
        raise DataError(f"{file.path}: {full} is {str(found)[:60]}; expected a number above 0. Get the file again.")
    return found


def _shortest(value: float) -> float:
    """A float32 value as its shortest decimal: 1e-05 rather than 9.999999747378752e-06."""
    return float(str(np.float32(value)))
