"""Timings to percentiles. The one place that gives the names `latency/...`, and it takes nothing but a LatencyRecord."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rag_eval.latency.latency_record import LatencyRecord
from rag_eval.score.estimate import estimate
from rag_eval.score.interval import Interval
from rag_eval.score.percentile import fewest, percentile
from rag_eval.types import Timing


def summarised(record: LatencyRecord) -> dict[str, Interval]:
    """Percentiles of a scenario that times single requests, or the throughput of one that does not.

    - `latency/e2e_p50_ms`, `e2e_p95_ms`, `e2e_p99_ms`: from the arrival to the last token, waiting included;
    - `latency/ttft_p50_ms`: from the arrival to the first token, searching included, where the generator tells it;
    - `latency/tpot_p50_ms`: time per output token after the first, over answers that have a second;
    - `latency/<stage>_p50_ms`: of every stage, of `queue` in an open loop, and of `other`, which no stage explains;
    - `throughput/queries_per_s`, `throughput/tokens_per_s`: means over the passes of an offline record.

    Intervals are 95 %, between order statistics, of requests taken as independent. A percentile with too few requests
    for its interval is absent: 6 for a median, 59 for p95, 299 for p99.
    """
    if record.passes:
        return _throughput(record)
    timings = record.timings
    columns: dict[str, list[float]] = {"e2e": [one.e2e_s for one in timings], "other": [unexplained_s(one) for one in timings]}
    columns |= {stage: _stage(timings, stage) for stage in dict.fromkeys(stage for one in timings for stage in one.seconds)}
    columns |= {"ttft": _known(timings, ttft_s), "tpot": _known(timings, tpot_s)}
    if record.protocol["scenario"] == "poisson":
        columns["queue"] = [one.queue_s for one in timings]
    wanted = [(name, 0.5) for name in columns] + [("e2e", 0.95), ("e2e", 0.99)]
    return {f"latency/{name}_p{q * 100:.0f}_ms": _in_ms(columns[name], q) for name, q in wanted if len(columns[name]) >= fewest(q)}


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


def _known(timings: Sequence[Timing], of: Callable[[Timing], float | None]) -> list[float]:
    return [seconds for timing in timings if (seconds := of(timing)) is not None]


def _stage(timings: Sequence[Timing], stage: str) -> list[float]:
    return [one.seconds[stage] for one in timings if stage in one.seconds]


def _in_ms(seconds: Sequence[float], q: float) -> Interval:
    return percentile([1000 * one for one in seconds], q)


def _throughput(record: LatencyRecord) -> dict[str, Interval]:
    rates: Mapping[str, list[float]] = {
        "throughput/queries_per_s": [one.n_queries / one.seconds for one in record.passes],
        "throughput/tokens_per_s": [one.n_output_tokens / one.seconds for one in record.passes],
    }
    blocks = [one.block for one in record.passes]
    means = {name: estimate(values, blocks, binary=False, bounds=None) for name, values in rates.items()}
    return {name: Interval(one.mean, one.low, one.high, one.n, one.n_clusters) for name, one in means.items() if one is not None}
