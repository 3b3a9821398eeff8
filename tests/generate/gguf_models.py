"""GGUF files small enough to be made in a test: random weights in any format, a vocabulary whose merges cross every border."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, quants
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tests.generate.mixed_texts import mixed_texts

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
USER_DEFINED = "[[tool]]"
LACKING = "Ą"  # how GPT-2 spells byte 4, for which there is no token
WIDTH, INNER, HEADS, KEY_HEADS, LAYERS, POSITIONS = 256, 512, 4, 2, 2, 512
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Where a block of a format that gguf cannot write holds its scales, as 16-bit floats; the other bytes may be anything.
SCALES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,), "IQ4_NL": (0,), "IQ4_XS": (0,)}


@cache
def vocabulary() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tokens, special ones first, and merges; trained on uncut texts, so that a text that is cut otherwise gets other ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = [one for one in pre_tokenizers.ByteLevel.alphabet() if one != LACKING]
    trainer = trainers.BpeTrainer(vocab_size=2500, initial_alphabet=alphabet, special_tokens=[*SPECIAL, USER_DEFINED], show_progress=False)
    texts = [text[:24].replace("\x04", "") for text in mixed_texts(3000, 1, SPECIAL)]
    tokenizer.train_from_iterator(texts, trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    return tuple(sorted(trained["vocab"], key=trained["vocab"].__getitem__)), tuple(" ".join(pair) for pair in trained["merges"])


def quantised(values: NDArray[np.float32], name: str, rng: np.random.Generator) -> NDArray[Any]:
    """Values in a format; where gguf cannot write it, random blocks of the same size."""
    kind = GGMLQuantizationType[name]
    if name in ("F32", "F16"):
        return values.astype(np.float32 if name == "F32" else np.float16)
    if name not in SCALES:
        return quants.quantize(values, kind)
    n_values, n_bytes = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (*values.shape[:-1], values.shape[-1] // n_values, n_bytes), dtype=np.uint8)
    for at in SCALES[name]:
        scales = (rng.random(blocks.shape[:-1]) * 1e-3).astype("<f2")[..., None]
        blocks[..., at : at + 2] = scales.view(np.uint8)
    return blocks.reshape(*values.shape[:-1], -1)


def tensors(architecture: str, n_tokens: int, rng: np.random.Generator, tied: bool = True) -> dict[str, NDArray[np.float32]]:
    """Random weights under the names of a GGUF file."""
    head = WIDTH // HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (n_tokens, WIDTH), "output_norm.weight": (WIDTH,)}
    shapes |= {} if tied else {"output.weight": (n_tokens, WIDTH)}
    for layer in range(LAYERS):
        block: dict[str, tuple[int, ...]] = {
            "attn_norm.weight": (WIDTH,),
            "attn_q.weight": (WIDTH, WIDTH),
            "attn_k.weight": (KEY_HEADS * head, WIDTH),
            "attn_v.weight": (KEY_HEADS * head, WIDTH),
            "attn_output.weight": (WIDTH, WIDTH),
            "ffn_norm.weight": (WIDTH,),
            "ffn_gate.weight": (INNER, WIDTH),
            "ffn_up.weight": (INNER, WIDTH),
            "ffn_down.weight": (WIDTH, INNER),
        }
        if architecture == "qwen2":
            block |= {"attn_q.bias": (WIDTH,), "attn_k.bias": (KEY_HEADS * head,), "attn_v.bias": (KEY_HEADS * head,)}
        if architecture == "qwen3":
            block |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    scale = {1: 0.3, 2: 0.08}  # far enough apart that no two tokens tie
    centre = {name: 1.0 if "norm" in name else 0.0 for name in shapes}
    return {name: (centre[name] + scale[len(shape)] * rng.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}


def write_gguf(
    path: Path,
    architecture: str = "llama",
    pre: str | None = "smollm",
    formats: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    more: Mapping[str, NDArray[np.float32]] | None = None,
    without: Sequence[str] = (),
    tied: bool = True,
    seed: int = 0,
) -> Path:
    """A file with a model of two layers.

    Args:
        path: where it is written.
        architecture: llama, qwen2 or qwen3, or the name of another with the weights of llama.
        pre: tokenizer.ggml.pre; None leaves it out.
        formats: part of a weight's name -> its format; float32 otherwise.
        metadata: further numbers and texts, in place of the usual ones of the same name.
        more: further weights.
        without: keys of metadata and names of weights that are left out.
        tied: whether there is no weight of the output's own.
        seed: of the weights.
    """
    rng = np.random.default_rng(seed)
    tokens, merges = vocabulary()
    writer = GGUFWriter(path, architecture)
    said: dict[str, Any] = {
        f"{architecture}.block_count": LAYERS,
        f"{architecture}.context_length": POSITIONS,
        f"{architecture}.embedding_length": WIDTH,
        f"{architecture}.feed_forward_length": INNER,
        f"{architecture}.attention.head_count": HEADS,
        f"{architecture}.attention.head_count_kv": KEY_HEADS,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{architecture}.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": list(tokens),
        "tokenizer.ggml.token_type": [3 if one in SPECIAL else 4 if one == USER_DEFINED else 1 for one in tokens],
        "tokenizer.ggml.merges": list(merges),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
        **({} if pre is None else {"tokenizer.ggml.pre": pre}),
        **(metadata or {}),
    }
    for key, value in said.items():
        if key not in without:
            _add(writer, key, value)
    for name, values in (tensors(architecture, len(tokens), rng, tied) | dict(more or {})).items():
        if name not in without:
            format = next((one for part, one in (formats or {}).items() if part in name), "F32")
            kind = GGMLQuantizationType[format]
            writer.add_tensor(name, quantised(values, format, rng), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string, list: writer.add_array}
    add[type(value)](key, value)
