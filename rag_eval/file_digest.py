"""Files by their content. A large file is read once in a process, as long as it is not changed."""

from __future__ import annotations

import hashlib
import time
from functools import lru_cache
from pathlib import Path

LARGE = 1 << 20  # bytes from which on a digest is kept
SETTLED_S = 2.0  # after a change of a file, within which another might leave the same time


def file_sha256(path: Path) -> str:
    """Hex digest of the bytes of a file."""
    about = path.stat()
    if about.st_size < LARGE or time.time() - max(about.st_mtime, about.st_ctime) < SETTLED_S:
        return _read(path)
    return _kept(path.absolute(), about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)


@lru_cache(maxsize=1024)
def _kept(path: Path, *state: int) -> str:
    return _read(path)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
