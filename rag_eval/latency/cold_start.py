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

    Imported libraries and files in the page cache of the operating system are not cold: only a process for each arm measures a whole start.

    Args:
        build: makes the system, learned; what the system loads on first use counts to the question.
        question: the first question.
        forced_tokens: number of tokens of its answer; None = natural length.
        now: reads the clock, in seconds.

    Returns:
        The system, and the seconds of loading and of the first question.
    """
    begun = now()
    system = build()
    built = now()
    alone(system, forced_tokens).answer([question])
    return system, ColdStart(load_s=built - begun, first_query_s=now() - built)
