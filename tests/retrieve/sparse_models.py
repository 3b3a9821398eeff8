"""A SPLADE model small enough to be made in a test, whose weights are known: each text gets the words that it has."""

from __future__ import annotations

from pathlib import Path

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_sparse_encoder(folder: Path, words: list[str], max_tokens: int = 32) -> Path:
    """A folder of sentence-transformers with a BERT of two layers that add nothing: its logits say which words a text has.

    Every word has a direction of its own, in which the output is compared with all words; what is alike by chance is
    pushed below 0 by the bias, and SPLADE pooling drops it.
    """
    plain = folder / "bert"
    plain.mkdir(parents=True)
    n_words, width = len(SPECIAL) + len(words), 64
    torch.manual_seed(0)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=n_words,
            hidden_size=width,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=max_tokens,
        )
    )
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "LayerNorm.weight" not in name:
                weights.zero_()  # attention and feed-forward add nothing to the word's own direction
        directions = torch.nn.functional.normalize(torch.randn(n_words, width), dim=1)
        model.bert.embeddings.word_embeddings.weight.copy_(directions)  # the output layer shares it
        model.cls.predictions.transform.dense.weight.copy_(torch.eye(width))
        model.cls.predictions.bias.fill_(-5.0)
        model.cls.predictions.bias[: len(SPECIAL)] = -100.0
    model.save_pretrained(plain)
    BertTokenizer(vocab={word: at for at, word in enumerate([*SPECIAL, *words])}, model_max_length=max_tokens).save_pretrained(plain)
    transformer = Transformer(str(plain), transformer_task="fill-mask", max_seq_length=max_tokens)
    SparseEncoder(modules=[transformer, SpladePooling("max")], device="cpu").save(str(folder / "model"))
    return folder / "model"
