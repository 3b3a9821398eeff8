"""Tokenizer of a GGUF file: byte-level BPE with the same ids as llama.cpp.

transformers 5.24 can create a tokenizer from a GGUF file but ignores the pre-tokenizer (tokenizer.ggml.pre), so that white space before a
digit, as in every numbered list, gets other ids than in training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from rag_eval.errors import DataError
from rag_eval.generate.gguf.file import GGUF

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4  # tokenizer.ggml.token_type; all but NORMAL are matched literally in a text
# End-of-text and end-of-turn tokens, in addition to those that a file declares, because many files declare only one of two.
ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>")

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Cutting:
    """Pre-tokenization: how a text is split into pieces within which bytes are merged."""

    patterns: tuple[str, ...]  # regular expressions, applied in sequence to the pieces of the previous one
    keeps_whole: bool = False  # whether a piece that is a token is not merged (ignore_merges)
    adds_bos: bool = False  # default if the file does not state it
    is_nfc: bool = False  # NFC normalisation, as in the model's own tokenizer; llama.cpp has none


CUTTINGS: Mapping[str, Cutting] = {
    "smollm": Cutting((r"\p{N}", _GPT2)),
    "gpt-2": Cutting((_GPT2,)),
    "default": Cutting((r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")),
    "llama-bpe": Cutting((_LLAMA3,), keeps_whole=True, adds_bos=True),
    "qwen2": Cutting((_LLAMA3.replace("{1,3}", ""),), is_nfc=True),
}


@dataclass(frozen=True)
class Vocabulary:
    """Tokens of a file."""

    tokens: Sequence[str]  # by id; bytes in GPT-2's encoding
    kinds: Sequence[int]  # token type by id
    merges: Sequence[tuple[str, str]]  # in order of priority
    cutting: Cutting
    bos: int | None
    eos: int
    pad: int | None
    unknown: int | None
    adds_bos: bool
    adds_eos: bool
    ends: tuple[int, ...]  # tokens that end an answer
    template: str | None  # chat template


def vocabulary(file: GGUF) -> Vocabulary:
    """Tokens of a file.

    Args:
        file: header of the file.

    Returns:
        The vocabulary.

    Raises:
        DataError: if it is not byte-level BPE, has an unknown pre-tokenizer, or is inconsistent.
    """
    model, cut = _said(file, "model", None), _said(file, "pre", "default")
    if model != "gpt2":
        raise DataError(f"{file.path}: its tokenizer is {str(model)[:40]!r}; supported: 'gpt2', byte-level BPE. Use another model.")
    if cut not in CUTTINGS:
        supported = ", ".join(CUTTINGS)
        raise DataError(f"{file.path}: its pre-tokenizer is {str(cut)[:40]!r}; supported: {supported}. Use the model's safetensors folder.")
    tokens, merges = _list(file, "tokens", str), _list(file, "merges", str)
    kinds = _list(file, "token_type", int) or [NORMAL] * len(tokens)
    if not tokens or len(set(tokens)) != len(tokens) or len(kinds) != len(tokens) or not merges:
        raise DataError(
            f"{file.path}: {len(tokens)} tokens, {len(set(tokens))} of them different, {len(kinds)} types, {len(merges)} merges; "
            "expected different tokens, a type of each, and merges. Get the file again."
        )
    ids = {name: _id(file, name, len(tokens)) for name in ("bos", "eos", "eot", "eom", "padding", "unknown")}
    if (eos := ids["eos"]) is None:
        raise DataError(f"{file.path}: names no tokenizer.ggml.eos_token_id, so that no answer would end. Use another file.")
    spelled = [id for id, token in enumerate(tokens) if token in ENDS]
    ends = dict.fromkeys(id for id in (eos, ids["eot"], ids["eom"], *spelled) if id is not None)
    return Vocabulary(
        tokens=tokens,
        kinds=[CONTROL if id in ends else kind for id, kind in enumerate(kinds)],
        merges=[_pair(merge) for merge in merges],
        cutting=CUTTINGS[cut],
        bos=ids["bos"],
        eos=eos,
        pad=ids["padding"],
        unknown=ids["unknown"],
        adds_bos=ids["bos"] is not None and bool(_said(file, "add_bos_token", CUTTINGS[cut].adds_bos)),
        adds_eos=bool(_said(file, "add_eos_token", False)),
        ends=tuple(ends),
        template=file.metadata.get("tokenizer.chat_template"),
    )


def tokenizer(said: Vocabulary, file: GGUF) -> Tokenizer:
    """Tokenizer with the ids of llama.cpp.

    Bytes without a token are dropped, and nothing is merged across them.

    Args:
        said: vocabulary of the file.
        file: header of the file, for error messages.

    Returns:
        The tokenizer.

    Raises:
        DataError: if merges and tokens are inconsistent.
    """
    vocab = {token: id for id, token in enumerate(said.tokens)}
    try:
        made = Tokenizer(models.BPE(vocab=vocab, merges=list(said.merges), ignore_merges=said.cutting.keeps_whole))
    except Exception as error:  # tokenizers raises nothing narrower
        raise DataError(f"{file.path}: the merges of its tokenizer do not go with its tokens ({error}). Get the file again.") from error
    if said.cutting.is_nfc:
        made.normalizer = normalizers.NFC()
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in said.cutting.patterns]
    lacking = "".join(sorted(set(pre_tokenizers.ByteLevel.alphabet()) - vocab.keys()))
    left_out = [pre_tokenizers.Split(Regex(f"[{re.escape(lacking)}]"), "removed")] if lacking else []
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([*cuts, as_bytes, *left_out])
    made.decoder = decoders.ByteLevel()
    made.add_tokens([
        AddedToken(said.tokens[id], special=kind != USER_DEFINED, normalized=False)
        for id, kind in enumerate(said.kinds)
        if kind in (UNKNOWN, CONTROL, USER_DEFINED)
    ])  # fmt: skip
    before = [said.bos] if said.adds_bos and said.bos is not None else []
    behind = [said.eos] if said.adds_eos else []
    if before or behind:
        made.post_processor = processors.TemplateProcessing(
            single=[*(said.tokens[id] for id in before), "$A", *(said.tokens[id] for id in behind)],
            special_tokens=[(said.tokens[id], id) for id in (*before, *behind)],
        )
    return made


def tokenizer_config(said: Vocabulary, n_positions: int) -> dict[str, Any]:
    """Content of tokenizer_config.json."""
    special = {"bos_token": said.bos, "eos_token": said.eos, "pad_token": said.pad, "unk_token": said.unknown}
    return {
        "tokenizer_class": "TokenizersBackend",
        "clean_up_tokenization_spaces": False,
        "model_max_length": n_positions,
        "padding_side": "left",
        **{name: said.tokens[id] for name, id in special.items() if id is not None},
        **({"chat_template": said.template} if said.template else {}),
    }


def _said(file: GGUF, name: str, default: Any) -> Any:
    return file.metadata.get(f"tokenizer.ggml.{name}", default)


def _list(file: GGUF, name: str, kind: type) -> list[Any]:
    found = _said(file, name, [])
    if not isinstance(found, list) or not all(isinstance(one, kind) for one in found):
        raise DataError(f"{file.path}: tokenizer.ggml.{name} is no list of {kind.__name__}. Get the file again.")
    return found


def _id(file: GGUF, name: str, n_tokens: int) -> int | None:
    id = _said(file, f"{name}_token_id", None)
    if id is not None and not (isinstance(id, int) and 0 <= id < n_tokens):
        raise DataError(f"{file.path}: tokenizer.ggml.{name}_token_id is {str(id)[:40]}, of {n_tokens} tokens. Get the file again.")
    return id


def _pair(merge: str) -> tuple[str, str]:
    """Both sides of a merge; a space at the first character is not the separator."""
    at = merge.find(" ", 1)
    return merge[:at], merge[at + 1 :]
