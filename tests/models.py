"""Models small enough to be made in a test."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

TINY = Path(__file__).parents[1] / "rag_eval" / "assets" / "tiny"


def write_random_model(folder: Path, seed: int = 0) -> Path:
    """A model of random weights, wide enough apart that no two tokens tie, with the embedded model's tokenizer."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=3072,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        eos_token_id=1,
        bos_token_id=None,
        pad_token_id=0,
        initializer_range=0.5,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / name, folder)
    return folder
