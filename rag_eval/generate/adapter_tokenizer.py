"""Tokenizer and chat template stored with an adapter: used if compatible with the model, rejected otherwise."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from rag_eval.errors import DataError
from rag_eval.models.model_files import check_model

TEMPLATE, CONFIG = "chat_template.jinja", "tokenizer_config.json"
VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
NAMED = ("bos_token", "eos_token", "pad_token")
N_SHOWN = 3


def brings_tokenizer(folder: str) -> bool:
    """Whether an adapter's folder contains a tokenizer or a chat template."""
    return any((Path(folder) / name).is_file() for name in (TEMPLATE, CONFIG, *VOCABULARIES))


def own_tokenizer(base: Any, folder: str, n_embeddings: int | None) -> Any:
    """Tokenizer for a model with an adapter.

    Args:
        base: the model's tokenizer.
        folder: folder of the adapter.
        n_embeddings: vocabulary size of the model; None = not known.

    Returns:
        The adapter's tokenizer, or a copy of the model's with the adapter's template and special tokens, or `base`.

    Raises:
        DataError: if the adapter's tokenizer cannot be loaded, assigns other ids to tokens, or has tokens without an embedding.
    """
    path = Path(folder)
    if not brings_tokenizer(folder):
        return base
    check_model(folder)
    if any((path / name).is_file() for name in VOCABULARIES):
        own = _loaded(path)
        _check_vocabulary(base.get_vocab(), own.get_vocab(), path, n_embeddings)
        return own
    own = copy.deepcopy(base)
    stated = json.loads((path / CONFIG).read_text(encoding="utf-8")) if (path / CONFIG).is_file() else {}
    for name in NAMED:
        _name(own, name, stated.get(name), path)
    own.chat_template = _template(path, stated) or base.chat_template
    return own


def same_prompts(tokenizers: Mapping[str, Any]) -> Any:
    """The tokenizer shared by several adapters, which must format prompts alike because a batch is formatted once.

    Args:
        tokenizers: tokenizers by adapter name, at least one.

    Returns:
        The first tokenizer.

    Raises:
        DataError: if two of them differ.
    """
    (first, tokenizer), *others = tokenizers.items()
    other = next((name for name, one in others if _manner(one) != _manner(tokenizer)), None)
    if other:
        raise DataError(
            f"the adapters {first} and {other} bring other chat templates or tokenizers; expected the same. "
            "Use one at a time (adapter.path)."
        )
    return tokenizer


def _loaded(path: Path) -> Any:
    try:
        return AutoTokenizer.from_pretrained(path, padding_side="left", local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"the tokenizer of the adapter {path} cannot be loaded: {' '.join(str(error).split())[:300]}") from error


def _check_vocabulary(base: Mapping[str, int], own: Mapping[str, int], path: Path, n_embeddings: int | None) -> None:
    moved = sorted(token for token, id in base.items() if own.get(token) != id)
    if moved:
        raise DataError(
            f"the tokenizer of the adapter {path} gives {len(moved)} tokens other ids than the model's (first: {moved[0]!r}). "
            "Use the model that the adapter was trained for."
        )
    added = sorted((id, token) for token, id in own.items() if token not in base and n_embeddings is not None and id >= n_embeddings)
    if added:
        shown = ", ".join(repr(token) for _, token in added[:N_SHOWN]) + (", ..." if len(added) > N_SHOWN else "")
        raise DataError(
            f"the tokenizer of the adapter {path} adds {shown}, for which the model has no embedding (it has {n_embeddings}), and an "
            "adapter of linear layers holds none. Merge it into a folder of whole weights where it was trained."
        )


def _name(tokenizer: Any, name: str, stated: Any, path: Path) -> None:
    """Set a special token (bos, eos, pad) as the adapter states it.

    Args:
        tokenizer: changed in place.
        name: attribute, such as "eos_token".
        stated: value in the adapter's configuration, if any.
        path: folder of the adapter, for the error message.

    Raises:
        DataError: if the token is not in the vocabulary.
    """
    token = stated.get("content") if isinstance(stated, Mapping) else stated
    if token is None or token == getattr(tokenizer, name):
        return
    if token not in tokenizer.get_vocab():
        raise DataError(f"{path / CONFIG}: {name} is {token!r}, which is no token of the model. Use the model that it was trained for.")
    setattr(tokenizer, name, token)


def _template(path: Path, stated: Mapping[str, Any]) -> Any:
    if (path / TEMPLATE).is_file():
        return (path / TEMPLATE).read_text(encoding="utf-8")
    named = stated.get("chat_template")
    return {one["name"]: one["template"] for one in named} if isinstance(named, list) else named


def _manner(tokenizer: Any) -> tuple[Any, ...]:
    """Everything that determines the formatting of a prompt."""
    names = [getattr(tokenizer, name) for name in NAMED]
    return tokenizer.chat_template, names, tokenizer.get_vocab(), tokenizer("a")["input_ids"]
