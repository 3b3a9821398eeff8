"""Latency of arms that were timed in one session: what one takes in place of another, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_eval.latency.model import fit, predicted_gap
from rag_eval.latency.record import LatencyRecord
from rag_eval.latency.store import read_latencies
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.claim import Measured
from rag_eval.report.claims.numbers import mean_of, ratio_at, ratio_of
from rag_eval.types import Timing

Session = Mapping[str, LatencyRecord]  # by arm
NATURAL, FORCED = "latency", "latency, equal lengths"
SLOWER = "rag is slower than the fine-tuned model"  # else nothing is the cause of it
BEFORE_MODEL = ("embed", "search", "rerank")  # stages of the retrieval step


@dataclass(frozen=True)
class Size:
    """How many questions are timed, in how many blocks, which are the clusters of the intervals."""

    n_queries: int
    n_blocks: int

    def overrides(self, forced_tokens: int | None) -> list[str]:
        """Settings of the protocol."""
        forced = "null" if forced_tokens is None else str(forced_tokens)
        return [f"latency.n_queries={self.n_queries}", f"latency.n_blocks={self.n_blocks}", f"latency.forced_tokens={forced}"]

    def fits(self, record: LatencyRecord, forced_tokens: int | None) -> bool:
        """Whether a record is of this protocol."""
        wanted = {**vars(self), "forced_tokens": forced_tokens, "scenario": "single_stream", "cache_state": "warm"}
        return all(record.protocol[name] == value for name, value in wanted.items())


def common_length(runs: Sequence[RecordedRun]) -> int:
    """Mean tokens of the recorded answers of all runs and the end token, which takes a pass of the model too; at least 2."""
    counted = [n for run in runs for said in run.predictions.values() if (n := said.n_output_tokens) is not None]
    return max(2, round(sum(counted) / len(counted)) + 1)


def recorded_session(folders: Mapping[str, Path], fits: Callable[[LatencyRecord], bool]) -> Session | None:
    """The last session in which all these runs took part under a protocol; None = there is none.

    Args:
        folders: of the runs, by arm.
        fits: whether a record is of the protocol.

    Returns:
        The records by arm.
    """
    found = {arm: {one.session: one for one in read_latencies(folder) if fits(one)} for arm, folder in folders.items()}
    shared = [session for session in next(iter(found.values())) if all(session in of_arm for of_arm in found.values())]
    return {arm: of_arm[shared[-1]] for arm, of_arm in found.items()} if shared else None


def paired(over: LatencyRecord, under: LatencyRecord) -> list[tuple[Timing, Timing]]:
    """The timings of two arms by question, in the order of asking."""
    theirs = {one.example_id: one for one in under.timings}
    return [(one, theirs[one.example_id]) for one in over.timings]


def e2e_ratio(over: LatencyRecord, under: LatencyRecord, q: float) -> Measured:
    """The q-quantile of one arm's time from the question to the last token divided by that of another, blocks as clusters."""
    pairs = paired(over, under)
    return ratio_at([a.e2e_s for a, _ in pairs], [b.e2e_s for _, b in pairs], [a.block for a, _ in pairs], q)


def prefill_ratio(over: LatencyRecord, under: LatencyRecord) -> Measured:
    """The median time that reading the prompt takes of one arm divided by that of another."""
    pairs = paired(over, under)
    first, second = ([pair[at].seconds["prefill"] for pair in pairs] for at in (0, 1))
    return ratio_at(first, second, [a.block for a, _ in pairs], 0.5)


def retrieval_s(timing: Timing) -> float:
    """Seconds of the retrieval step: embedding the question, searching, reranking."""
    return sum(timing.seconds.get(stage, 0.0) for stage in BEFORE_MODEL)


def retrieval_share(record: LatencyRecord) -> Measured:
    """The retrieval step's share of the whole time of an arm."""
    timings = record.timings
    return ratio_of([retrieval_s(one) for one in timings], [one.e2e_s for one in timings], [one.block for one in timings])


def retrieval_share_of_gap(over: LatencyRecord, under: LatencyRecord) -> Measured:
    """The retrieval step's share of the time by which one arm is slower than another."""
    pairs = paired(over, under)
    steps = [retrieval_s(a) - retrieval_s(b) for a, b in pairs]
    return ratio_of(steps, gaps(over, under), [a.block for a, _ in pairs])


def gaps(over: LatencyRecord, under: LatencyRecord) -> list[float]:
    """Seconds by which an answer of one arm takes longer than that of another, by question, waiting excluded."""
    return [(a.e2e_s - a.queue_s) - (b.e2e_s - b.queue_s) for a, b in paired(over, under)]


def mean_gap(over: LatencyRecord, under: LatencyRecord) -> Measured:
    """Mean seconds by which an answer of one arm takes longer than that of another, waiting excluded."""
    return mean_of(gaps(over, under), [one.block for one in over.timings])


def predicted_by_measured(over: LatencyRecord, under: LatencyRecord) -> Measured:
    """The gap that the additive model tells from stages and tokens, divided by the measured one.

    The prediction is taken as exact, as it is by `rag_eval.latency.model.agrees`.
    """
    predicted = predicted_gap(fit([*over.timings, *under.timings]), over.timings, under.timings)
    measured = gaps(over, under)
    return ratio_of([predicted] * len(measured), measured, [one.block for one in over.timings])
