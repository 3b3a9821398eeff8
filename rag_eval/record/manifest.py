"""The list of a directory's files with their sizes and hashes. It is written last: without a valid one nothing is complete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rag_eval.record.atomic_io import write_atomically
from rag_eval.record.serialize import sha256_of

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


class BrokenManifest(ValueError):
    """A directory is not what its manifest says; the message says why."""


def seal(directory: Path, files: Iterable[Path], facts: Mapping[str, Any]) -> None:
    """Write the manifest of these files, with facts beside it, as the last file of a directory."""
    entries = {str(file.relative_to(directory).as_posix()): _entry(file) for file in sorted(files)}
    body = {"schema_version": SCHEMA_VERSION, "files": entries, **facts}
    text = json.dumps({**body, "sha256": sha256_of(body)}, indent=1, allow_nan=False)
    write_atomically(directory / MANIFEST, text + "\n")


def verify(directory: Path) -> dict[str, Any]:
    """Read the manifest of a directory and compare every file that it lists with its size and hash.

    Args:
        directory: a directory that was sealed.

    Returns:
        The manifest without its own hash.

    Raises:
        BrokenManifest: if the manifest is absent or damaged, or a file is missing or changed.
    """
    try:
        body = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        stated, files = body.pop("sha256"), body["files"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BrokenManifest(f"{MANIFEST} cannot be read ({type(error).__name__})") from error
    if sha256_of(body) != stated:
        raise BrokenManifest(f"{MANIFEST} was changed")
    for name, entry in files.items():
        file = directory / name
        if file.is_symlink() or not file.is_file():
            raise BrokenManifest(f"{name} is missing")
        if file.stat().st_size != entry["bytes"] or _entry(file) != entry:
            raise BrokenManifest(f"{name} was changed")
    return dict(body)


def _entry(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"bytes": file.stat().st_size, "sha256": digest}
