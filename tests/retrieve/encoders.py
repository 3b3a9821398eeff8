"""Encoders small enough to be made in a test, as folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast, RobertaConfig, RobertaModel

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "text", ":", *"abcdefghijklmnopqrstuvwxyz")


def write_bert(folder: Path, **changed: int) -> Path:
    """A BERT of random weights that knows the letters, reads 32 tokens and gives 16 numbers."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 32}
    config = BertConfig(**{"vocab_size": len(WORDS), "initializer_range": 0.5, **sizes, **changed})
    BertModel(config).save_pretrained(folder)
    return folder


def write_roberta(folder: Path) -> Path:
    """A RoBERTa of random weights whose tokenizer has no limit; of its 34 positions, numbered from 2, 32 can be read."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join((WORDS[1], WORDS[0], *WORDS[2:])))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 34}
    RobertaModel(RobertaConfig(vocab_size=len(WORDS), pad_token_id=1, **sizes)).save_pretrained(folder)
    return folder


def write_sentence_transformer(
    folder: Path,
    prompts: Mapping[str, str],
    default: str | None = None,
    include_prompt: bool = True,
    similarity: str | None = None,
    write_network: Callable[[Path], Path] = write_bert,
) -> Path:
    """That BERT, or another network, under a mean of its states, as sentence-transformers saves it; rows are not of unit length."""
    write_network(folder)
    modules = (("", "Transformer"), ("1_Pooling", "Pooling"))
    listed = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"} for n, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True, "include_prompt": include_prompt}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    declared = {"prompts": prompts, "default_prompt_name": default, "similarity_fn_name": similarity}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(declared))
    return folder
