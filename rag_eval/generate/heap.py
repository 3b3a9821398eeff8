"""glibc allocator settings that keep freed CPU memory in the process instead of returning it to the system."""

from __future__ import annotations

import ctypes
from functools import cache

# Parameters of mallopt in glibc's malloc.h: blocks of up to 32 MiB (the maximum) are allocated on the heap, and up to 256 MiB of free
# memory at its end are kept.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
LARGEST, KEPT = 32 * 2**20, 256 * 2**20


@cache
def keep_freed() -> bool:
    """Keep freed memory from now on, once per process. Returns whether the C library supports it (glibc only)."""
    try:
        library = ctypes.CDLL(None)
        return bool(library.mallopt(_MMAP_THRESHOLD, LARGEST) and library.mallopt(_TRIM_THRESHOLD, KEPT))
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return False


def give_back() -> None:
    """Return free memory to the system."""
    if keep_freed():
        ctypes.CDLL(None).malloc_trim(0)
