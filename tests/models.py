"""Models small enough to be made in a test."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    MixtralConfig,
    OlmoeConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2MoeConfig,
    Qwen3MoeConfig,
)

N_TOKENS = 3072
TINY = Path(__file__).parents[1] / "rag_eval" / "assets" / "tiny"

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


def write_words(folder: Path, names: Mapping[int, str], chat_template: str | None = None) -> Path:
    """Give a random model a tokenizer of words, each a token: w0, w1, ..., but for control tokens with names of their own."""
    named = {0: "<pad>", 1: "<end>", 2: "<unknown>", **names}
    tokenizer = Tokenizer(WordLevel({named.get(id, f"w{id}"): id for id in range(N_TOKENS)}, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens(list(named.values()))
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>", padding_side="left")
    made.chat_template = chat_template
    made.save_pretrained(folder)
    return folder


def append_end_token(folder: Path) -> Path:
    """Have the tokenizer of a folder put its end token behind every text, as `add_eos_token` does."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = tokenizer.eos_token
    appending = TemplateProcessing(single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)])
    tokenizer.backend_tokenizer.post_processor = appending
    tokenizer.save_pretrained(folder)
    return folder
