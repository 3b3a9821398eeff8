"""Files that are complete or absent: atomic writes, synced folders, exclusive locks, named disk faults."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError

from rag_eval.errors import EnvironmentFault

log = logging.getLogger(__name__)

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
POLL_S = 0.05
REPORT_S = 10.0


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by a new content in one step: a reader or a crash sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.tmp-{uuid4().hex}")
    with writing(path):
        try:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Force a file, or the list of names of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report a full disk or a forbidden path as an EnvironmentFault.

    Args:
        path: what is written; named if the error names no file.

    Yields:
        Nothing.

    Raises:
        EnvironmentFault: if the disk is full or refuses to be written.
        OSError: for every other fault of the system.
        SafetensorError: for every other fault in writing tensors.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        number, where = _number(error), getattr(error, "filename", None) or path
        if number in FULL:
            raise EnvironmentFault(f"{where}: the disk is full ({_free_bytes(path):,} bytes free); free some space.") from error
        if number in REFUSED:
            raise EnvironmentFault(f"{where}: cannot be written ({os.strerror(number)}); choose a folder that can.") from error
        raise


def _number(error: OSError | SafetensorError) -> int:
    """What the system said; safetensors tells it in words only. 0 = nothing."""
    if isinstance(error, OSError):
        return error.errno or 0
    said = re.search(r"\(os error (\d+)\)", str(error))
    return int(said[1]) if said else 0


def _free_bytes(path: Path) -> int:
    existing = next(parent for parent in [path.absolute(), *path.absolute().parents] if parent.exists())
    return shutil.disk_usage(existing).free


def try_lock(path: Path) -> int | None:
    """Take an exclusive lock without waiting; the folder is made if it does not exist.

    Args:
        path: the lock file.

    Returns:
        A handle that owns the lock until `unlock` or the end of the process; None if another owns it.

    Raises:
        OSError: if the file cannot be opened or locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        os.close(handle)
        raise
    return handle


def unlock(handle: int) -> None:
    """Give a lock back."""
    fcntl.flock(handle, fcntl.LOCK_UN)  # a forked child may share the handle: closing alone would not free it
    os.close(handle)


@contextmanager
def locked(path: Path, purpose: str) -> Iterator[None]:
    """Waits for the lock file and holds it; a dead owner's lock is free. Says every 10 s what it waits for."""
    start = time.perf_counter()
    reported = 0
    while (handle := try_lock(path)) is None:
        waited = time.perf_counter() - start
        if waited >= (reported + 1) * REPORT_S:
            reported += 1
            log.warning("waiting %.0f s for another process: %s", waited, purpose)
        time.sleep(POLL_S)
    try:
        yield
    finally:
        unlock(handle)
