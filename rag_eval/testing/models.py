"""Causal language models of random weights, small enough to be made in a test, and the embedded model's folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedConfig

import rag_eval

TINY = Path(rag_eval.__file__).parent / "assets" / "tiny"  # the embedded model
N_TOKENS = 3072  # of its tokenizer

# Arguments of a transformers configuration.
SIZES: dict[str, Any] = {
    "vocab_size": N_TOKENS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "eos_token_id": 1,
    "bos_token_id": None,
    "pad_token_id": 0,
    "initializer_range": 0.5,
}


def write_random_model(folder: Path, seed: int = 0, config: PreTrainedConfig | None = None) -> Path:
    """Write a model of random weights, wide enough apart that no two tokens tie, with the embedded model's tokenizer.

    Args:
        folder: where to.
        seed: of the weights.
        config: architecture and sizes; None = a Llama of SIZES.

    Returns:
        The folder.
    """
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config or LlamaConfig(**SIZES)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / name, folder)
    return folder


def append_end_token(folder: Path) -> Path:
    """Have the tokenizer of a model's folder put its end token behind every text, as `add_eos_token` does; returns the folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = tokenizer.eos_token
    appending = TemplateProcessing(single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)])
    tokenizer.backend_tokenizer.post_processor = appending
    tokenizer.save_pretrained(folder)
    return folder
