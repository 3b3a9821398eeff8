"""What a block used up is its own, is known also where the block failed, and costs no import of torch."""

from __future__ import annotations

import subprocess
import sys
import time
from types import ModuleType

import numpy as np
import pytest

from rag_eval.cost.meter import metered
from rag_eval.errors import is_out_of_memory

pytestmark = pytest.mark.flow

MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")
def test_the_peak_of_a_block_is_its_own() -> None:
    with metered(uses_cuda=False) as large:
        block = np.ones(256 * MIB, dtype=np.int8)
        del block
    with metered(uses_cuda=False) as small:
        pass
    assert large.spend.peak_bytes is not None
    assert small.spend.peak_bytes is not None
    assert large.spend.peak_bytes - small.spend.peak_bytes > 128 * MIB
    assert large.spend.device_seconds is None


def test_processor_time_is_that_of_the_block() -> None:
    with metered(uses_cuda=False) as busy:
        begun = time.process_time()
        while time.process_time() - begun < 0.05:
            pass
    with metered(uses_cuda=False) as idle:
        pass
    assert busy.spend.cpu_seconds is not None
    assert idle.spend.cpu_seconds is not None
    assert busy.spend.cpu_seconds >= 0.05 > idle.spend.cpu_seconds


def test_a_block_without_a_device_has_nothing_of_one_and_a_short_one_no_energy() -> None:
    with metered(uses_cuda=False) as reading:
        pass
    spend = reading.spend
    assert (spend.device_seconds, spend.device_peak_bytes, spend.device_joules, spend.cpu_joules) == (None, None, None, None)


def test_a_block_that_raised_is_measured_too() -> None:
    with pytest.raises(KeyError, match="lost"), metered(uses_cuda=False) as reading:
        raise KeyError("lost")
    assert reading.spend.seconds is not None
    assert reading.spend.cpu_seconds is not None
    assert reading.spend.peak_bytes is not None


class Device:
    """A CUDA device as torch shows it, which takes 2 s to finish, and writes down what it was asked."""

    def __init__(self) -> None:
        self.clock_s, self.breaks, self.asked = 10.0, False, list[str]()

    def synchronize(self) -> None:
        self.asked.append("synchronize")
        self.clock_s += 2.0
        if self.breaks and self.asked.count("synchronize") > 1:
            raise RuntimeError("device lost")

    def reset_peak_memory_stats(self) -> None:
        self.asked.append("reset")

    def max_memory_allocated(self) -> int:
        self.asked.append("peak")
        return 7 * MIB


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device()
    fake = ModuleType("torch")
    fake.cuda = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", fake)
    monkeypatch.setattr(time, "perf_counter", lambda: made.clock_s)
    return made


def test_a_device_finishes_before_the_clock_is_read_at_both_ends(device: Device) -> None:
    with metered(uses_cuda=True) as reading:
        assert device.asked == ["reset", "synchronize"]
        device.clock_s += 0.5
    assert device.asked == ["reset", "synchronize", "synchronize", "peak"]
    assert reading.spend.seconds == 2.5  # the wait at the end is the block's, that at the beginning is not
    assert reading.spend.device_seconds == 2.5
    assert reading.spend.device_peak_bytes == 7 * MIB


def test_an_error_of_the_device_that_shows_late_is_the_blocks(device: Device) -> None:
    device.breaks = True
    with pytest.raises(RuntimeError, match="device lost"), metered(uses_cuda=True) as reading:
        pass
    assert reading.spend.device_seconds is not None


def test_a_device_that_cannot_be_waited_for_does_not_hide_why_the_block_failed(device: Device) -> None:
    device.breaks = True
    with pytest.raises(KeyError, match="lost"), metered(uses_cuda=True) as reading:
        raise KeyError("lost")
    assert device.asked.count("synchronize") == 2
    assert reading.spend.device_seconds is not None


def test_torch_is_imported_only_where_cuda_is_used() -> None:
    code = "import sys; from rag_eval.cost.meter import metered\nwith metered(False): pass\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_running_out_of_memory_is_told_from_other_errors() -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch names it."""

    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(OutOfMemoryError("CUDA"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
