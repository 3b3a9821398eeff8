"""Timings to percentiles. The one place that gives the names `latency/...`, and it takes nothing but a LatencyRecord."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from rag_eval.latency.record import LatencyRecord
from rag_eval.stats.estimate import estimate
from rag_eval.stats.interval import Interval
from rag_eval.stats.percentile import block_percentile, fewest, percentile
from rag_eval.types import Timing


def summarised(record: LatencyRecord) -> dict[str, Interval]:
    """Percentiles of a scenario that times single requests, or the throughput of one that does not.

    - `latency/e2e_p50_ms`, `e2e_p95_ms`, `e2e_p99_ms`: from the arrival to the last token, waiting included;
    - `latency/ttft_p50_ms`: from the arrival to the first token, searching included, where the generator tells it;
    - `latency/tpot_p50_ms`: time per output token after the first, over answers that have a second;
    - `latency/<stage>_p50_ms`: of every stage, of `queue` in an open loop, and of `other`, which no stage explains;
    - `throughput/queries_per_s`, `throughput/tokens_per_s`: means over the passes of an offline record.

    Intervals are 95 %, between order statistics. Each end is the farther one of two: of requests taken as independent,
    and clustered by block, where blocks limit it, because successive requests share the state of the machine. A
    percentile with too few requests for its interval is absent: 6 for a median, 59 for p95, 299 for p99.
    """
    if record.passes:
        return _throughput(record)
    measures: dict[str, Callable[[Timing], float | None]] = {"e2e": lambda one: one.e2e_s, "ttft": ttft_s, "tpot": tpot_s}
    for stage in dict.fromkeys(stage for one in record.timings for stage in one.seconds):
        measures[stage] = lambda one, stage=stage: one.seconds.get(stage)  # type: ignore[misc]
    measures["other"] = unexplained_s
    if record.protocol["scenario"] == "poisson":
        measures["queue"] = lambda one: one.queue_s
    wanted = [("e2e", 0.5), ("e2e", 0.95), ("e2e", 0.99), *((name, 0.5) for name in measures if name != "e2e")]
    found = {f"latency/{name}_p{q * 100:.0f}_ms": _in_ms(record.timings, measures[name], q) for name, q in wanted}
    return {name: one for name, one in found.items() if one is not None}


def ttft_s(timing: Timing) -> float | None:
    """Seconds from the arrival to the first token; None where the generator does not tell."""
    if "decode" not in timing.seconds:
        return None
    return timing.queue_s + sum(seconds for stage, seconds in timing.seconds.items() if stage != "decode")


def tpot_s(timing: Timing) -> float | None:
    """Seconds per output token after the first; None where the generator does not tell, or there is no second token."""
    if "decode" not in timing.seconds or timing.n_output_tokens < 2:
        return None
    return timing.seconds["decode"] / (timing.n_output_tokens - 1)


def unexplained_s(timing: Timing) -> float:
    """Seconds from the arrival to the last token that are neither waiting nor a stage."""
    return timing.e2e_s - timing.queue_s - sum(timing.seconds.values())


def _in_ms(timings: Sequence[Timing], of: Callable[[Timing], float | None], q: float) -> Interval | None:
    known = [(1000 * seconds, one.block) for one in timings if (seconds := of(one)) is not None]
    if len(known) < fewest(q):
        return None
    values, blocks = zip(*known, strict=True)
    alone, together = percentile(values, q), block_percentile(values, blocks, q)
    if together is None or together.n_clusters < 2:
        return alone
    low = min(alone.low, together.low) if math.isfinite(together.low) else alone.low
    high = max(alone.high, together.high) if math.isfinite(together.high) else alone.high
    return Interval(alone.value, low, high, alone.n, together.n_clusters)


def _throughput(record: LatencyRecord) -> dict[str, Interval]:
    rates: Mapping[str, list[float]] = {
        "throughput/queries_per_s": [one.n_queries / one.seconds for one in record.passes],
        "throughput/tokens_per_s": [one.n_output_tokens / one.seconds for one in record.passes],
    }
    blocks = [one.block for one in record.passes]
    means = {name: estimate(values, blocks, binary=False, bounds=None) for name, values in rates.items()}
    return {name: Interval(one.mean, one.low, one.high, one.n, one.n_clusters) for name, one in means.items() if one is not None}
