"""Tokenizers of every kind in use, small enough to be trained in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from rag_eval.testing.models import N_TOKENS

CORPUS = [
    "Where does Ada live? Ada lives in Adatown, by the old mill.",
    "The tags <s> and </s> begin and end a line; <|user|> and <|assistant|> say who speaks, <think> and </think> what is thought.",
    "user assistant system think pad unk < > | / [ ] ( ) . , ! ? : ; 0 1 2 3 4 5 6 7 8 9\n",
]
SPECIAL = ["<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
ADDED = ["<think>", "</think>"]  # no special ones: a chat template may write them
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' %}<|user|>{% elif m.role == 'system' %}<|system|>{% else %}<|assistant|>{% endif %}"
    "{{ '\n' + m.content }}</s>{{ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def byte_level() -> Tokenizer:
    """As GPT-2, Llama 3 and Qwen have it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    return made


def metaspace() -> Tokenizer:
    """As Llama 2 and Mistral have it: SentencePiece's BPE, a blank in front of the first word alone."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False))
    return made


def unigram() -> Tokenizer:
    """As T5 and XLM-R have it: the likeliest pieces, control tokens among the pieces."""
    made = Tokenizer(models.Unigram())
    made.normalizer, made.pre_tokenizer, made.decoder = normalizers.NFKC(), pre_tokenizers.Metaspace(), decoders.Metaspace()
    special = ["<unk>", *SPECIAL]
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=special, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    return made


def word_piece() -> Tokenizer:
    """As BERT has it."""
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False))
    return made


KINDS: dict[str, Callable[[], Tokenizer]] = {one.__name__: one for one in (byte_level, metaspace, unigram, word_piece)}


def with_special_tokens(made: Tokenizer, begins: bool = False, ends: bool = False, template: str | None = TEMPLATE) -> Any:
    """A tokenizer of transformers with control tokens, which puts begin and end tokens around a text where it is told to."""
    made.add_special_tokens(SPECIAL)
    made.add_tokens(ADDED)
    around = [(token, made.token_to_id(token)) for token in ("<s>", "</s>")]
    if begins or ends:
        single = " ".join([*(["<s>"] if begins else []), "$A", *(["</s>"] if ends else [])])
        made.post_processor = processors.TemplateProcessing(single=single, special_tokens=around)
    unknown = {"unk_token": "<unk>"} if made.token_to_id("<unk>") is not None else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", **unknown)
    tokenizer.chat_template = template
    return tokenizer


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
