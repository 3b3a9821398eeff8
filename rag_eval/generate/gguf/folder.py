"""Conversion of a GGUF file to a transformers folder in the cache, dequantised once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.file_digest import file_sha256
from rag_eval.generate.gguf.architecture import config, factors
from rag_eval.generate.gguf.file import read
from rag_eval.protocols import Cache
from rag_eval.source import code_sha

ORIGIN = "gguf.json"  # description of the source file


@dataclass(frozen=True)
class Dequantised:
    """A cache folder and the description of its source."""

    folder: str
    origin: Mapping[str, Any]  # format, sha256 and tensor formats of the file, and the dtype after dequantisation


def is_gguf(model: str) -> bool:
    """Whether a model name is that of a GGUF file."""
    return model.lower().endswith(".gguf")


def dequantised(model: str, sha256: str | None, cache: Cache | None) -> Dequantised:
    """Folder of a GGUF file, created if it is not cached.

    Args:
        model: path of the file.
        sha256: expected hash; None = not checked.
        cache: cache of the folder.

    Returns:
        The folder.

    Raises:
        ConfigError: if there is no cache.
        DataError: if the file is missing, has another hash, is broken, or contains an unsupported model.
        EnvironmentFault: if the package gguf is missing, or the disk is full.
    """
    path = Path(model)
    if cache is None:
        raise ConfigError(f"generator.model={model} is dequantised into a cache, and there is none. Set generator.cache.")
    found = _sha256(path)
    if sha256 is not None and found != sha256:
        raise DataError(f"{path}: expected sha256 {sha256}, found {found}. Get the file again, or correct generator.sha256.")
    key = {"sha256": found, "code": code_sha(__name__), **{name: _version(name) for name in ("gguf", "tokenizers")}}
    kept = cache.build("gguf", key, lambda folder: _write(path, found, folder))
    return Dequantised(str(kept.path), json.loads((kept.path / ORIGIN).read_text(encoding="utf-8")))


def _write(path: Path, sha256: str, folder: Path) -> None:
    from rag_eval.generate.gguf.tokenizer import tokenizer, tokenizer_config, vocabulary
    from rag_eval.generate.gguf.weights import check_shapes, formats, values, write_weights

    file = read(path)
    origin = {"format": "GGUF", "sha256": sha256, "formats": formats(file), "dequantised_to": "float32"}
    scaling = factors(file)
    network = config(file, None if scaling is None else values(file, scaling).tolist())
    said = vocabulary(file)
    check_shapes(file, network, len(said.tokens))
    ids = {"bos_token_id": said.bos, "eos_token_id": said.eos, "pad_token_id": said.pad}
    (folder / "tokenizer.json").write_text(tokenizer(said, file).to_str(pretty=True), encoding="utf-8")
    _dump(folder / "tokenizer_config.json", tokenizer_config(said, network["max_position_embeddings"]))
    _dump(folder / "config.json", {**network, "vocab_size": len(said.tokens), **ids})
    _dump(folder / "generation_config.json", {**ids, "eos_token_id": list(said.ends)})
    _dump(folder / ORIGIN, origin)
    write_weights(file, folder / "model.safetensors")


def _dump(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"generator.model={path}: there is no such file.")
    try:
        return file_sha256(path)
    except OSError as error:
        raise EnvironmentFault(f"generator.model={path} cannot be read: {error.strerror}.") from error


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError as error:
        raise EnvironmentFault(f"a GGUF file needs the package {name}. Run: pip install 'rag_eval[offline]'") from error
