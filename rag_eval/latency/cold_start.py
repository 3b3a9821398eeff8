"""What the first question costs where nothing is loaded yet."""

from __future__ import annotations

import time
from collections.abc import Callable

from rag_eval.latency.record import ColdStart
from rag_eval.latency.single_request import alone
from rag_eval.system import System
from rag_eval.types import Example


def cold_start(
    build: Callable[[], System], question: Example, forced_tokens: int | None, now: Callable[[], float] = time.perf_counter
) -> tuple[System, ColdStart]:
    """Build a system, ask it one question, and return it warm.

    Libraries that this process has imported, and files that the operating system holds in memory, are not cold: a process of
    its own for each arm measures all of a start.

    Args:
        build: makes the system, learned, and loads what it loads at once; what it loads on first use counts to the question.
        question: that is asked.
        forced_tokens: of its answer; None = natural.
        now: reads the clock, in seconds.
    """
    begun = now()
    system = build()
    built = now()
    alone(system, forced_tokens).answer([question])
    return system, ColdStart(load_s=built - begun, first_query_s=now() - built)
