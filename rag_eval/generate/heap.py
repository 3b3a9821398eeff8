"""Memory that tensors on the CPU free and ask for again: kept, where the C library would give it back and fetch it page by page."""

from __future__ import annotations

import ctypes
from functools import cache

# Parameters of mallopt in glibc's malloc.h, and the values: blocks of up to 32 MiB, the most it takes, come from the heap, of which so
# much may be free at its end.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
LARGEST, KEPT = 32 * 2**20, 256 * 2**20


@cache
def keep_freed() -> bool:
    """Keep freed memory from here on, once a process. Whether that is known here: it is glibc that can."""
    try:
        library = ctypes.CDLL(None)
        return bool(library.mallopt(_MMAP_THRESHOLD, LARGEST) and library.mallopt(_TRIM_THRESHOLD, KEPT))
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return False


def give_back() -> None:
    """Give what is free back to the system."""
    if keep_freed():
        ctypes.CDLL(None).malloc_trim(0)
