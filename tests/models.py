"""Models small enough to be made in a test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig, OlmoeConfig, PreTrainedConfig, Qwen2MoeConfig, Qwen3MoeConfig

TINY = Path(__file__).parents[1] / "rag_eval" / "assets" / "tiny"

SIZES: dict[str, Any] = {
    "vocab_size": 3072,
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
GROUPED = {**SIZES, "num_key_value_heads": 2}
# Mixtures of experts: four in each layer, of which a token is given two.
EXPERTS: dict[str, PreTrainedConfig] = {
    "mixtral": MixtralConfig(**GROUPED, num_local_experts=4),
    "qwen2_moe": Qwen2MoeConfig(
        **GROUPED, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, shared_expert_intermediate_size=16
    ),
    "qwen3_moe": Qwen3MoeConfig(**GROUPED, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, head_dim=8),
    "olmoe": OlmoeConfig(**GROUPED, num_experts=4, num_experts_per_tok=2),
}


def write_random_model(folder: Path, seed: int = 0, config: PreTrainedConfig | None = None) -> Path:
    """A model of random weights, wide enough apart that no two tokens tie, with the embedded model's tokenizer."""
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config or LlamaConfig(**SIZES)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / name, folder)
    return folder
