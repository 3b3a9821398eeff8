"""The tokenizer of a GGUF file: byte-level BPE whose ids are those that llama.cpp gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from rag_eval.errors import DataError
from rag_eval.generate.gguf.file import GGUF

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4  # of tokenizer.ggml.token_type: tokens that are found in a text as they are spelled
# Ends of a text or a turn by their spelling, beside those that a file declares.
ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>")

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_MODERN = (
    r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Cutting:
    """How a text is cut into the pieces within which bytes are merged."""

    patterns: tuple[str, ...]  # regular expressions, one after the other, each within the pieces of the one before
    keeps_whole: bool = False  # a piece that is a token is that token, whatever the merges say
    adds_bos: bool = False  # where the file does not say
    is_nfc: bool = False  # texts are composed first, as the model's own tokenizer does; llama.cpp does not


_DIGITS_FIRST = Cutting((r"\p{N}", _GPT2))
CUTTINGS: Mapping[str, Cutting] = {
    "smollm": _DIGITS_FIRST,
    "gpt-2": Cutting((_GPT2,)),
    "default": Cutting((r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")),
    "llama-bpe": Cutting((_MODERN.format(digits=r"\p{N}{1,3}"),), keeps_whole=True, adds_bos=True),
    "qwen2": Cutting((_MODERN.format(digits=r"\p{N}"),), is_nfc=True),
}


@dataclass(frozen=True)
class Vocabulary:
    """What a file says of its tokens."""

    tokens: Sequence[str]  # by id; bytes are spelled as in GPT-2
    kinds: Sequence[int]
    merges: Sequence[tuple[str, str]]  # the first is done first
    cutting: Cutting
    bos: int | None
    eos: int | None
    pad: int | None
    unknown: int | None
    adds_bos: bool
    adds_eos: bool
    ends: tuple[int, ...]  # tokens that end an answer
    template: str | None  # of a chat

    def token(self, id: int | None) -> str | None:
        return None if id is None else self.tokens[id]


def vocabulary(file: GGUF) -> Vocabulary:
    """The tokens of a file.

    Raises:
        DataError: if they are not of byte-level BPE, are cut in a way that is not known, or do not fit together.
    """
    said = {key.removeprefix("tokenizer.ggml."): value for key, value in file.metadata.items() if key.startswith("tokenizer.")}
    if said.get("model") != "gpt2":
        raise DataError(f"{file.path}: its tokenizer is {said.get('model')!r}; supported: 'gpt2' (byte-level BPE). Use another model.")
    cut = said.get("pre", "default")
    if cut not in CUTTINGS:
        raise DataError(f"{file.path}: its pre-tokenizer is {cut!r}; supported: {', '.join(CUTTINGS)}. Use the model's safetensors folder.")
    tokens, merges = said.get("tokens", []), said.get("merges", [])
    kinds = said.get("token_type", [1] * len(tokens))
    if not tokens or len(set(tokens)) != len(tokens) or len(kinds) != len(tokens) or not merges:
        raise DataError(
            f"{file.path}: {len(tokens)} tokens, {len(set(tokens))} of them apart, {len(kinds)} kinds and {len(merges)} merges; "
            "expected tokens that differ, a kind of each, and merges. Get the file again."
        )
    ids = {name: _id(file, said, name, len(tokens)) for name in ("bos", "eos", "eot", "eom", "padding", "unknown")}
    spelled = [id for id, token in enumerate(tokens) if token in ENDS and kinds[id] in (CONTROL, USER_DEFINED)]
    ends = dict.fromkeys(id for id in (ids["eos"], ids["eot"], ids["eom"], *spelled) if id is not None)
    return Vocabulary(
        tokens=tokens,
        kinds=kinds,
        merges=[_pair(merge) for merge in merges],
        cutting=CUTTINGS[cut],
        bos=ids["bos"],
        eos=ids["eos"],
        pad=ids["padding"],
        unknown=ids["unknown"],
        adds_bos=bool(said.get("add_bos_token", CUTTINGS[cut].adds_bos)),
        adds_eos=bool(said.get("add_eos_token", False)),
        ends=tuple(ends),
        template=file.metadata.get("tokenizer.chat_template"),
    )


def tokenizer(said: Vocabulary, file: GGUF) -> Tokenizer:
    """A tokenizer whose ids are those of llama.cpp.

    Args:
        said: what the file says of its tokens.
        file: named in errors.

    Raises:
        DataError: if the merges do not go with the tokens.
    """
    vocab = {token: id for id, token in enumerate(said.tokens)}
    try:
        made = Tokenizer(models.BPE(vocab=vocab, merges=list(said.merges), ignore_merges=said.cutting.keeps_whole))
    except Exception as error:  # tokenizers raises nothing narrower
        raise DataError(f"{file.path}: the merges of its tokenizer do not go with its tokens ({error}). Get the file again.") from error
    if said.cutting.is_nfc:
        made.normalizer = normalizers.NFC()
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in said.cutting.patterns]
    lacking = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - vocab.keys())
    made.pre_tokenizer = pre_tokenizers.Sequence([
        *cuts,
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        *([pre_tokenizers.Split(Regex(f"[{re.escape(''.join(lacking))}]"), "removed")] if lacking else []),
    ])  # fmt: skip
    made.decoder = decoders.ByteLevel()
    found = {id: kind for id, kind in enumerate(said.kinds) if kind in (UNKNOWN, CONTROL, USER_DEFINED)}
    made.add_tokens([_added(said.tokens[id], kind != USER_DEFINED) for id, kind in found.items()])
    _add_ends(made, said)
    return made


def tokenizer_config(said: Vocabulary, n_positions: int) -> dict[str, Any]:
    """What tokenizer_config.json holds."""
    special = {"bos_token": said.bos, "eos_token": said.eos, "pad_token": said.pad, "unk_token": said.unknown}
    return {
        "tokenizer_class": "TokenizersBackend",
        "clean_up_tokenization_spaces": False,
        "model_max_length": n_positions,
        "padding_side": "left",
        **{name: said.token(id) for name, id in special.items() if id is not None},
        **({"chat_template": said.template} if said.template else {}),
    }


def _id(file: GGUF, said: Mapping[str, Any], name: str, n: int) -> int | None:
    id = said.get(f"{name}_token_id")
    if id is not None and not (isinstance(id, int) and 0 <= id < n):
        raise DataError(f"{file.path}: tokenizer.ggml.{name}_token_id is {id}, there are {n} tokens. Get the file again.")
    return id


def _pair(merge: str) -> tuple[str, str]:
    """The two sides of a merge; the first may itself begin with a space."""
    at = merge.find(" ", 1)
    return merge[:at], merge[at + 1 :]


def _added(token: str, is_special: bool) -> AddedToken:
    return AddedToken(token, special=is_special, normalized=False)


def _add_ends(made: Tokenizer, said: Vocabulary) -> None:
    """The tokens that stand before and behind every text."""
    before = [said.bos] if said.adds_bos and said.bos is not None else []
    behind = [said.eos] if said.adds_eos and said.eos is not None else []
    if before or behind:
        both = [(said.tokens[id], id) for id in (*before, *behind)]
        names = [said.tokens[id] for id in before], [said.tokens[id] for id in behind]
        single = " ".join([*names[0], "$A", *names[1]])
        made.post_processor = processors.TemplateProcessing(single=single, pair=f"{single} $B", special_tokens=both)
