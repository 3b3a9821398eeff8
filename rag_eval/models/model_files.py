"""Whether a model folder is safe to load, and what identifies it, judged from its files before any library opens it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from rag_eval.errors import DataError
from rag_eval.file_digest import file_sha256

_DECIDES = {".safetensors", ".json", ".txt", ".model", ".jinja"}  # weights, configurations, vocabularies, chat templates
ADAPTER_CONFIG = "adapter_config.json"
_MANIFEST = "manifest.json"  # of a directory of the cache: it says how long that took to build
# Keys that make a library import code, and the value of each that does not.
_HARMLESS = {"auto_map": None, "auto_mapping": None, "trust_remote_code": False, "megatron_config": None, "megatron_core": "megatron.core"}


def check_model(model: str) -> None:
    """Refuse a causal language model or an adapter whose loading would run code or unpickle.

    Args:
        model: a folder, or a hub id, of which only the form can be judged.

    Raises:
        DataError: if the folder does not exist, has no safetensors, or asks for code of its own.
    """
    folder = Path(model)
    if not folder.is_dir():
        if model.startswith((".", "/", "~")) or model.count("/") > 1:
            raise DataError(f"{model}: expected a folder with safetensors weights or a hub id (owner/name), found neither.")
        return
    _refuse_pickles(folder)
    _refuse_foreign_code(folder)


def check_no_adapter(model: str) -> None:
    """Refuse a base model folder that contains a PEFT adapter, which transformers would load unasked.

    Args:
        model: folder of the base model.

    Raises:
        DataError: if there is an adapter; says how an adapter is given.
    """
    config = Path(model) / ADAPTER_CONFIG
    if config.is_file():
        raise DataError(
            f"{config}: a PEFT adapter lies in the folder of the base model and would change it unasked. Move it to a folder of its own "
            "and give it by mode=finetune adapter=given adapter.path=FOLDER."
        )


def check_embedder_folder(path: str | Path) -> None:
    """Refuse a folder whose loading would run code or unpickle.

    Args:
        path: a sentence-transformers folder.

    Raises:
        DataError: if it is no such folder, has pickle weights only, names a module class outside sentence_transformers,
            or asks for code of its own (auto_map, trust_remote_code, *_internal).
    """
    folder = Path(path)
    if not (folder / "modules.json").is_file():
        raise DataError(f"{folder}: expected a sentence-transformers folder, found no modules.json in it. Check embedder.model.")
    _refuse_pickles(folder)
    _refuse_foreign_modules(folder / "modules.json")
    _refuse_foreign_code(folder)


def check_sha256(path: str | Path, expected: str) -> None:
    """Check the hash of model.safetensors.

    Args:
        path: folder of the model.
        expected: sha256, hexadecimal.

    Raises:
        DataError: if the file is missing or has another hash.
    """
    weights = Path(path) / "model.safetensors"
    if not weights.is_file():
        raise DataError(f"{weights}: expected this file with sha256 {expected}, found none. Set embedder.sha256=null or mend the folder.")
    found = file_sha256(weights)
    if found != expected:
        raise DataError(f"{weights}: expected sha256 {expected}, found {found}. Get the file again, or correct embedder.sha256.")


def check_weights(path: str | Path) -> None:
    """Refuse a folder whose safetensors files are incomplete.

    Args:
        path: folder of the model; its subfolders are checked too.

    Raises:
        DataError: if a file is cut short, damaged or cannot be opened, or an index names a file that is not beside it.
    """
    folder = Path(path)
    for index in sorted(folder.rglob("*.safetensors.index.json")):
        for name in sorted(set(_read(index).get("weight_map", {}).values())):
            if Path(name).name != name or not (index.parent / name).is_file():
                raise DataError(f"{index}: names {name!r}, which is no file beside it. Get the files again.")
    for weights in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(weights, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            raise DataError(f"{weights}: not a whole safetensors file: {error}. Get the file again.") from error


def fingerprint(model: str | Path, revision: str | None = None) -> str:
    """sha256 of a file, or over names and contents of a folder's weights, configurations, vocabularies and chat templates.

    A hub model's is id@revision.
    """
    folder = Path(model)
    if folder.is_file():
        return file_sha256(folder)
    if not folder.is_dir():
        return f"{model}@{revision or 'main'}"
    files = sorted(file for file in folder.rglob("*") if file.suffix in _DECIDES and file.name != _MANIFEST and file.is_file())
    lines = [f"{file.relative_to(folder).as_posix()} {file_sha256(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def max_tokens(path: str | Path) -> int | None:
    """The length limit that the folder sets for itself; None leaves it to the tokenizer."""
    settings = Path(path) / "sentence_bert_config.json"
    limit = _read(settings).get("max_seq_length") if settings.is_file() else None
    return None if limit is None else int(limit)


def _refuse_pickles(folder: Path) -> None:
    for pickled in sorted(folder.rglob("pytorch_model*.bin")):
        if not any(pickled.parent.glob("*.safetensors")):
            raise DataError(f"{pickled}: pickle weights refused; convert to safetensors.")
    if not any(folder.rglob("*.safetensors")):
        if quantized := sorted(folder.glob("*.gguf")):
            raise DataError(f"{folder}: expected weights in *.safetensors, found {quantized[0].name}. Give that file itself.")
        raise DataError(f"{folder}: expected weights in *.safetensors, found none. Check the model's folder.")


def _refuse_foreign_code(folder: Path) -> None:
    for config in sorted(folder.rglob("*config*.json")):
        for key, value in _items(_read(config)):
            runs_code = key in _HARMLESS or key.endswith("_internal")
            if runs_code and value not in (None, False, _HARMLESS.get(key)):
                raise DataError(f"{config}: {key!r} would run code from outside the library; refused. Use a model without it.")


def _refuse_foreign_modules(path: Path) -> None:
    modules = _read(path)
    for module in modules if isinstance(modules, list) else [modules]:
        found = module.get("type") if isinstance(module, dict) else module
        if not isinstance(found, str) or not found.startswith("sentence_transformers."):
            raise DataError(f"{path}: expected module types under sentence_transformers., found {found!r}; refused.")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: expected JSON: {error}. Get the file again.") from error


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value, however deep."""
    if isinstance(node, Mapping):
        yield from node.items()
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _items(child)
