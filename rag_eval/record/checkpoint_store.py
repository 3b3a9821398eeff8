"""States of something that takes long to build, kept while it is built: an interruption costs what came after the last one."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from rag_eval.record.atomic_io import sync, writing
from rag_eval.record.manifest import BrokenManifest, seal, verify

log = logging.getLogger(__name__)

N_KEPT = 2  # the last one, and the one before in case the last is damaged


class CheckpointDirectory:
    """A folder of states, `state-<n>`; each is complete, or absent. One process at a time may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self) -> Path | None:
        """The latest state that is what its manifest says; one that is not is left out with a warning."""
        for path in reversed(self._states()):
            try:
                verify(path)
            except BrokenManifest as error:
                log.warning("%s: %s; going on from the state before it", path, error)
            else:
                return path
        return None

    def save(self, n: int, write: Callable[[Path], None]) -> None:
        """Add a state; only the newest states are kept.

        Args:
            n: number of the state; a later state has a larger one.
            write: fills the empty folder that it is given with files.

        Raises:
            EnvironmentFault: if the disk is full or cannot be written.
        """
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for leftover in self.path.glob(".tmp-*"):  # of a process that died
                shutil.rmtree(leftover)
            temporary = self.path / f".tmp-{uuid4().hex}"
            temporary.mkdir()
            try:
                write(temporary)
                files = [file for file in temporary.rglob("*") if file.is_file()]
                for path in [*files, *(folder for folder in temporary.rglob("*") if folder.is_dir())]:
                    sync(path)
                seal(temporary, files, {"n": n})
                target = self.path / f"state-{n:09d}"
                shutil.rmtree(target, ignore_errors=True)  # a damaged one of an earlier attempt
                temporary.rename(target)
                sync(self.path)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)  # gone when renamed
            for old in self._states()[:-N_KEPT]:
                shutil.rmtree(old)

    def _states(self) -> list[Path]:
        return sorted(path for path in self.path.glob("state-*") if re.fullmatch(r"state-\d{9}", path.name))
