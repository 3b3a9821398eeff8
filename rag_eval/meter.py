"""What a stage uses up: wall time, accelerator time, peak memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rag_eval.types import Spend


@dataclass
class Reading:
    """Filled in when the metered block ends."""

    spend: Spend = field(default_factory=lambda: Spend(seconds=None))


@contextmanager
def metered(uses_cuda: bool) -> Iterator[Reading]:
    """Measure a block: `with metered(False) as reading: ...` and then `reading.spend`.

    Seconds are wall time by a monotonic clock. Device seconds are the time that an accelerator was held, which is the
    whole block where one is used. Peak memory is that of the block on Linux, of the process so far elsewhere. Energy is
    not measured.
    """
    reading = Reading()
    _forget_peak()
    begun = time.perf_counter()
    try:
        yield reading
    finally:
        seconds = time.perf_counter() - begun
        reading.spend = Spend(seconds, device_seconds=seconds if uses_cuda else None, peak_bytes=peak_bytes())


def peak_bytes() -> int:
    """The largest resident size of this process since its peak was last forgotten, in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _forget_peak() -> None:
    """Begin to look for a new peak; only Linux can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
