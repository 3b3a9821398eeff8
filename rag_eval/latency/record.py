"""What one arm's measurement leaves behind: its timings, never without the conditions they hold under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_eval.types import Timing

CONDITIONS = (
    "scenario",
    "n_queries",
    "n_warmup",
    "n_blocks",
    "forced_tokens",
    "rate_per_s",
    "cache_state",
    "seed",
    "batch_size",
    "concurrency",
    "clock",
    "synchronised",
    "gc_off",
    "tokenizer_included",
    "interleaved_with",
    "device",
    "dtype",
    "threads",
)


@dataclass(frozen=True)
class Pass:
    """All questions answered at once."""

    block: int
    n_queries: int
    n_output_tokens: int  # stop tokens excluded
    seconds: float  # wall time from the questions to the last answer


@dataclass(frozen=True)
class ColdStart:
    """The first answer of a system that was not there before. What the disk's cache of the operating system holds is not controlled."""

    load_s: float  # wall time until the system is built and has its documents and adapter
    first_query_s: float  # wall time of the first question, with what parts load when they are first used


@dataclass(frozen=True)
class LatencyRecord:
    """The timings of one arm. Only `summary.estimates` of such a record may be called latency.

    Raises:
        ValueError: if a condition is missing, or the timings are not those of the scenario.
    """

    protocol: Mapping[str, Any]  # every name of CONDITIONS, see LatencyProtocol; values that JSON has
    arm: str
    run_id: str  # of the arm's run, which says what it answers
    session: str  # arms measured in one session were interleaved, and may be compared
    timings: tuple[Timing, ...] = ()  # in the order of asking; () = offline
    passes: tuple[Pass, ...] = ()  # one a block; () = not offline
    cold_start: ColdStart | None = None  # None = cache_state is warm

    def __post_init__(self) -> None:
        missing = [name for name in CONDITIONS if name not in self.protocol]
        if missing:
            raise ValueError(f"{self.arm}: a timing needs the conditions it was taken under; missing: {', '.join(missing)}.")
        is_offline = self.protocol["scenario"] == "offline"
        expected = (0, self.protocol["n_blocks"]) if is_offline else (self.protocol["n_queries"], 0)
        got = (len(self.timings), len(self.passes))
        if got != expected:
            raise ValueError(f"{self.arm}: expected {expected[0]} timings and {expected[1]} passes, got {got[0]} and {got[1]}.")
        if (self.protocol["cache_state"] == "cold") != (self.cold_start is not None):
            raise ValueError(f"{self.arm}: a cold start belongs to cache_state=cold, got {self.protocol['cache_state']}.")
