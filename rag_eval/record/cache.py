"""Directories keyed by the hash of all that decides their content: embeddings, indexes, adapters."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from rag_eval.record.atomic_io import locked, sync, writing
from rag_eval.record.checkpoint_store import CheckpointDirectory
from rag_eval.record.manifest import MANIFEST, BrokenManifest, seal, verify
from rag_eval.record.serialize import canonical, sha256_of
from rag_eval.types import Cached

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1  # part of every key: two layouts never share a directory


class DirectoryCache:
    """A cache in a folder: `root/<kind>/<hash of the key>/`. Complete directories only, verified on every use."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def build(self, kind: str, key: Mapping[str, Any], write: Callable[[Path], float | None]) -> Cached:
        """The directory for a key, built if it does not exist.

        Of several processes that ask at the same time, one builds and the others wait. A directory that differs from its manifest is
        renamed to `.corrupt-<n>` and built again.

        Args:
            kind: plain name of the folder of all directories of one kind.
            key: everything that decides the content; JSON values, finite numbers.
            write: fills the empty folder that it is given with files and subfolders, no links. Returns the seconds of earlier, interrupted
                attempts that it continued, if any.

        Returns:
            The directory, and how long building it took.

        Raises:
            EnvironmentFault: if the disk is full or cannot be written.
        """
        target = self._target(kind, key)
        if (found := _read(target, key)) is not None:  # needs no lock: a directory appears whole
            shutil.rmtree(self.work(kind, key).path, ignore_errors=True)  # of a builder that died when it had just finished
            return found
        begun = time.perf_counter()
        with writing(self.root), locked(target.with_name(f"{target.name}.lock"), f"{kind} {target.name[:12]} in {self.root}"):
            if (found := _read(target, key)) is not None:
                return replace(found, waited_s=time.perf_counter() - begun)
            _set_aside(target)
            built = _fill(target, key, write)
            shutil.rmtree(self.work(kind, key).path, ignore_errors=True)
            return built

    def work(self, kind: str, key: Mapping[str, Any]) -> CheckpointDirectory:
        """Where `write` keeps the states of its work; gone once the directory is complete."""
        target = self._target(kind, key)
        return CheckpointDirectory(target.with_name(f"{target.name}.work"))

    def _target(self, kind: str, key: Mapping[str, Any]) -> Path:
        return self.root / kind / sha256_of({"kind": kind, "key": key, "schema_version": SCHEMA_VERSION})


def _read(target: Path, key: Mapping[str, Any]) -> Cached | None:
    if not target.is_dir():
        return None
    try:
        manifest = verify(target)
    except BrokenManifest:
        return None
    if canonical(manifest["key"]) != canonical(key) or set(manifest["files"]) != set(_files(target)):
        return None
    return Cached(path=target, is_hit=True, seconds=manifest["seconds"])


def _set_aside(target: Path) -> None:
    for leftover in target.parent.glob(f"{target.name}.tmp-*"):  # of a builder that died: its lock was free
        shutil.rmtree(leftover)
    if not target.exists():
        return
    aside = next(path for n in count(1) if not (path := target.with_name(f"{target.name}.corrupt-{n}")).exists())
    target.rename(aside)
    log.warning("cache: %s is not what its manifest says; set aside as %s and built anew", target, aside.name)


def _fill(target: Path, key: Mapping[str, Any], write: Callable[[Path], float | None]) -> Cached:
    temporary = target.with_name(f"{target.name}.tmp-{uuid4().hex}")
    temporary.mkdir()
    try:
        start = time.perf_counter()
        earlier_s = write(temporary) or 0.0
        seconds = time.perf_counter() - start + earlier_s
        files = [temporary / name for name in _files(temporary)]
        for path in [*files, *(folder for folder in temporary.rglob("*") if folder.is_dir())]:
            sync(path)
        seal(temporary, files, {"key": json.loads(canonical(key)), "seconds": seconds})
        temporary.rename(target)
        sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # gone when renamed
    return Cached(path=target, is_hit=False, seconds=seconds, earlier_s=earlier_s)


def _files(directory: Path) -> list[str]:
    paths = (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(name for path in paths if (name := path.relative_to(directory).as_posix()) != MANIFEST)
