"""Peak memory is that of the block that was measured, not of what the process did before."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from rag_eval.errors import is_out_of_memory
from rag_eval.meter import metered

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


def test_running_out_of_memory_is_told_from_other_errors() -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch names it."""

    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(OutOfMemoryError("CUDA"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
