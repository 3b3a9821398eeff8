"""What the stages of a run used up, from what was metered and from what earlier runs had done of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag_eval.cost.meter import MeterReading
from rag_eval.types import Cached, Learned, Prediction, Spend


def spent(readings: Mapping[str, MeterReading]) -> dict[str, Spend]:
    """What was metered, by stage."""
    return {name: reading.spend for name, reading in readings.items()}


def by_stage(
    readings: Mapping[str, MeterReading], learned: Learned, predictions: Sequence[Prediction], reused_s: float, n_processes: int
) -> dict[str, Spend]:
    """What each stage of a finished run used, earlier work that the run took over included.

    Args:
        readings: meter readings by stage, `learn` and `answer` among them.
        learned: cache entries of the learning.
        predictions: all answers.
        reused_s: seconds of answering that earlier attempts spent.
        n_processes: number of processes that trained together.

    Returns:
        Spends by stage; None in a spend = not measured.
    """
    learn = by_all(learning(readings["learn"].spend, learned), learned.adapter, n_processes)
    return spent(readings) | {"learn": learn, "answer": answering(readings["answer"].spend, predictions, reused_s)}


def learning(spend: Spend, learned: Learned) -> Spend:
    """What learning took. What came from a cache adds the seconds that building it took, where they are known.

    So does what an interrupted attempt had done.
    """
    kept = [one for one in (learned.index, learned.adapter) if one is not None]
    spend = replace(spend, stored_bytes=sum(one.n_bytes for one in kept) if kept else None)
    hits = [one for one in kept if one.is_hit]
    earlier = sum(one.earlier_s for one in kept if not one.is_hit)
    if not hits and not earlier:
        return spend
    if spend.seconds is None or any(one.seconds is None for one in hits):
        seconds, reused = None, None
    else:
        reused = sum(one.seconds for one in hits if one.seconds is not None) + earlier
        seconds = spend.seconds + reused - sum(one.waited_s for one in hits)
    held = seconds if spend.device_seconds is not None else None
    return Spend(seconds, held, peak_bytes=spend.peak_bytes, stored_bytes=spend.stored_bytes, cached=bool(hits), reused_s=reused)


def by_all(spend: Spend, adapter: Cached | None, n_processes: int) -> Spend:
    """What learning took of all processes that trained: each held its device; what was counted in the first alone is no number."""
    if n_processes == 1 or adapter is None:
        return spend
    others_s = None if adapter.seconds is None else (n_processes - 1) * adapter.seconds
    held = None if spend.device_seconds is None or others_s is None else spend.device_seconds + others_s
    return replace(spend, device_seconds=held, cpu_seconds=None, device_joules=None)


def answering(spend: Spend, predictions: Sequence[Prediction], reused_s: float) -> Spend:
    """What answering took: the sum over the questions, whichever process did it; energy where this one did all."""
    is_timed = all(prediction.seconds for prediction in predictions)
    total = sum(sum(prediction.seconds.values()) for prediction in predictions) if is_timed else None
    spend = replace(
        spend,
        seconds=total,
        device_seconds=total if spend.device_seconds is not None else None,
        n_prompt_tokens=_total([one.n_prompt_tokens for one in predictions]),
        n_output_tokens=_total([one.n_output_tokens for one in predictions]),
    )
    if not reused_s:
        return spend
    return replace(spend, cpu_seconds=None, device_joules=None, cpu_joules=None, reused_s=reused_s)


def elsewhere(spend: Spend) -> Spend:
    """What another system recorded of its answers, and nothing of this machine."""
    return Spend(spend.seconds, n_prompt_tokens=spend.n_prompt_tokens, n_output_tokens=spend.n_output_tokens)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
