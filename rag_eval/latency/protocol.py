"""How latency is measured. A timing means nothing without these conditions, so they are recorded with it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from rag_eval.errors import ConfigError

Scenario = Literal["single_stream", "offline", "poisson"]
CacheState = Literal["warm", "cold"]


class LatencyProtocol:
    """One of the scenarios of MLPerf Inference (single stream, offline, server), at the size of one machine."""

    def __init__(
        self,
        scenario: Scenario,
        n_queries: PositiveInt,
        n_warmup: PositiveInt,
        n_blocks: Annotated[int, Field(ge=2)],
        forced_tokens: PositiveInt | None,
        rate_per_s: PositiveFloat | None,
        cache_state: CacheState,
        seed: NonNegativeInt,
    ) -> None:
        """
        Args:
            scenario: single_stream asks the next question when the last is answered; offline asks all at once, in the
                generator's batches; poisson asks at random times, whether or not the last is answered (open loop), of one
                worker.
            n_queries: questions asked of every arm. 59 are the fewest for a 95th percentile, 299 for a 99th.
            n_warmup: requests per arm and shape bucket (see `schedule.bucket`) that are answered first and not counted.
            n_blocks: stretches of time between which the machine may drift; at least 2, so that drift can be told.
            forced_tokens: every answer has so many tokens, the end token suppressed, which isolates the pipeline;
                None = the answers' natural length, which users feel. Not for offline.
            rate_per_s: mean arrivals a second; for poisson alone.
            cache_state: cold measures loading and the first question too, and reports them apart.
            seed: of the questions, their arrivals and the order of the arms.

        Raises:
            ConfigError: if two of these contradict each other.
        """
        if (scenario == "poisson") != (rate_per_s is not None):
            raise ConfigError(
                f"latency.rate_per_s is {rate_per_s} with latency.scenario={scenario}: poisson needs a rate, the others have none."
            )
        if scenario == "offline" and forced_tokens is not None:
            raise ConfigError(f"latency.forced_tokens={forced_tokens} is for single requests, but latency.scenario is offline; use null.")
        if n_blocks > n_queries:
            raise ConfigError(f"latency.n_blocks={n_blocks} is more than latency.n_queries={n_queries}: a block needs a question.")
        self.scenario, self.n_queries, self.n_warmup, self.n_blocks = scenario, n_queries, n_warmup, n_blocks
        self.forced_tokens, self.rate_per_s, self.cache_state, self.seed = forced_tokens, rate_per_s, cache_state, seed

    def fields(self) -> dict[str, Any]:
        """What is recorded of it, with what holds for every measurement of this package."""
        return {
            **vars(self),
            "batch_size": None if self.scenario == "offline" else 1,  # None = as the generator's token budget allows
            "concurrency": 1,
            "clock": "perf_counter",
            "synchronised": True,  # the device is waited for before the clock is read
            "gc_off": True,
            "tokenizer_included": True,
        }
