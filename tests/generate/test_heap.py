"""Where the C library can, freed memory is kept between tensors and given back at the end; elsewhere nothing changes."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from rag_eval.generate import heap

TOUCHED = """
import resource, sys, torch
from rag_eval.generate.heap import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()

def work():  # tensors that come and go at the end of the heap
    for _ in range(20):
        held = [torch.ones(2**20) for _ in range(8)]
        del held

work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_pages_are_not_fetched_again_for_every_tensor() -> None:
    # glibc raises its threshold as blocks are freed, or not, by how the heap happens to lie: at the value that it begins with, it stays
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(128 * 1024)}

    def n_faults(way: str) -> int:
        asked = [sys.executable, "-c", TOUCHED, way]
        return int(subprocess.run(asked, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout)

    assert n_faults("keep") < 0.5 * n_faults("as it is")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    heap.keep_freed.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    try:
        assert not heap.keep_freed()
        heap.give_back()
    finally:
        heap.keep_freed.cache_clear()
