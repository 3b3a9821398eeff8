"""What a stage uses up: wall, processor and accelerator time, peak memory of both, energy."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rag_eval.cost.energy import EnergyMeter
from rag_eval.types import Spend


@dataclass
class MeterReading:
    """Filled in when the metered block ends."""

    spend: Spend = field(default_factory=lambda: Spend(seconds=None))


@contextmanager
def metered(uses_cuda: bool) -> Iterator[MeterReading]:
    """Measure a block: `with metered(False) as reading: ...` and then `reading.spend`, also where the block raised.

    Seconds are wall time by a monotonic clock; a CUDA device finishes its work before the clock is read, at both ends.
    Device seconds are the time that an accelerator was held, which is the whole block where one is used. Processor
    seconds are of all threads of this process, its children excluded. Peak memory is that of the block on Linux, of the
    process so far elsewhere; a device's is what torch allocated on the current one. Energy is the machine's, idle power
    included, and None for a block shorter than a second or where no counter can be read. Reading the counters is in no
    number. torch is imported only where CUDA is used.
    """
    reading, energy = MeterReading(), EnergyMeter(uses_cuda)
    _forget_peak()
    if uses_cuda:
        _forget_device_peak()
        _wait_for_device()
    energy.begin()
    cpu_begun, begun = time.process_time(), time.perf_counter()
    try:
        yield reading
    except BaseException:
        with suppress(RuntimeError):  # a device that failed cannot be waited for, and the block's own error is what matters
            if uses_cuda:
                _wait_for_device()
        raise
    else:
        if uses_cuda:
            _wait_for_device()  # an error that only shows here is the block's
    finally:
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
        used = energy.end()
        reading.spend = Spend(
            seconds,
            device_seconds=seconds if uses_cuda else None,
            cpu_seconds=cpu_seconds,
            peak_bytes=peak_bytes(),
            device_peak_bytes=_device_peak_bytes() if uses_cuda else None,
            device_joules=used.device_joules,
            cpu_joules=used.cpu_joules,
            energy_s=seconds,
        )


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


def _forget_device_peak() -> None:
    import torch

    torch.cuda.reset_peak_memory_stats()


def _device_peak_bytes() -> int:
    import torch

    return torch.cuda.max_memory_allocated()


def _wait_for_device() -> None:
    import torch

    torch.cuda.synchronize()
