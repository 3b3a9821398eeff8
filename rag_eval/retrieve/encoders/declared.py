"""Settings in the folder of a sentence-transformers model: similarity function and prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rag_eval.errors import DataError
from rag_eval.protocols import Similarity

FILE = "config_sentence_transformers.json"
_QUERY = ("query",)
_DOCUMENT = ("document", "passage", "corpus")


@dataclass(frozen=True)
class Declared:
    """Similarity and prompts of a model."""

    similarity: Similarity
    query_prompt: str
    document_prompt: str


def declared(folder: Path, otherwise: Similarity = "cosine") -> Declared:
    """Read the settings of a model folder.

    Empty prompts count as missing, because sentence-transformers saves empty ones by default. The default prompt is used for a kind
    of text that has no prompt, unless it is the prompt of the other kind.

    Args:
        folder: model folder.
        otherwise: similarity if the folder declares none.

    Returns:
        The settings; prompts are "" if not declared.

    Raises:
        DataError: if the similarity is not supported by any index.
    """
    path = folder / FILE
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    similarity: Similarity = settings.get("similarity_fn_name") or otherwise
    if similarity not in get_args(Similarity):
        known = ", ".join(get_args(Similarity))
        raise DataError(f"{path}: expected similarity_fn_name to be one of {known}, found {similarity!r}. Use another model.")
    prompts, default = settings.get("prompts") or {}, settings.get("default_prompt_name")
    return Declared(similarity, _prompt(prompts, default, _QUERY, _DOCUMENT), _prompt(prompts, default, _DOCUMENT, _QUERY))


def _prompt(prompts: Mapping[str, Any], default: str | None, own: tuple[str, ...], other: tuple[str, ...]) -> str:
    named = [*own, *([default] if default is not None and default not in other else [])]
    return next((prompts[name] for name in named if prompts.get(name)), "")
