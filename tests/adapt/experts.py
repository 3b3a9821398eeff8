"""Mixtures of experts small enough to be made in a test."""

from __future__ import annotations

from transformers import MixtralConfig, OlmoeConfig, PreTrainedConfig, Qwen2MoeConfig, Qwen3MoeConfig

from rag_eval.testing.models import SIZES

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
