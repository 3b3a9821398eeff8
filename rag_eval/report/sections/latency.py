"""Latency of compared arms: percentiles, ratios by question, and whether the parts explain the difference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median

from rag_eval.latency.model import agrees, fit, is_told_from_0, measured_gap, predicted_gap
from rag_eval.latency.record import LatencyRecord
from rag_eval.latency.store import newest, read_latencies
from rag_eval.latency.summary import summarised
from rag_eval.report.cold_start import cold_start_rows
from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Arm
from rag_eval.report.table import Cell, Figure, Table, Term, figure, interval_figure
from rag_eval.score.labels import label_of, timed_label
from rag_eval.stats.hodges_lehmann import hodges_lehmann
from rag_eval.stats.ratio import ratio_of_percentiles
from rag_eval.text.counted import counted
from rag_eval.types import Estimate

SEED = 0  # of the bootstrap
QUANTILES = {"latency/e2e_p50_ms": 0.5, "latency/e2e_p95_ms": 0.95}  # whose ratio is told
HOW = "rag-eval latency mode=<both>"


def tables(context: ReportContext) -> list[Table]:
    """What was timed under a protocol, each condition apart, and what the batches of the runs took, which is no latency."""
    arms = context.arms
    found = [read_latencies(arm.run.folder) for arm in arms]
    made: list[Table] = []
    for (a, first), (b, second) in combinations(zip(arms, found, strict=True), 2):
        sessions = {record.session: record for record in second}
        both = newest([record for record in first if record.session in sessions])
        made += [_pair_table(a, b, one, sessions[one.session]) for one in both.values()] or [_missing(a, b)]
    return [*made, _batches(arms)]


def _header(a: Arm, b: Arm) -> tuple[str, ...]:
    return ("measure", a.label, b.label, "ratio", "difference (Hodges-Lehmann)")


def _term(name: str) -> Term:
    return Term(name, label_of(name))


def _missing(a: Arm, b: Arm) -> Table:
    missing = (Figure(None, note=HOW), *[Figure(None)] * 3)
    return Table(f"Latency: {b.label} against {a.label}", "", _header(a, b), ((_term("latency/e2e_p50_ms"), *missing),))


def _pair_table(a: Arm, b: Arm, one: LatencyRecord, other: LatencyRecord) -> Table:
    left, right = summarised(one), summarised(other)
    rows: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys([*left, *right]):
        rows.append((_term(name), interval_figure(left.get(name)), interval_figure(right.get(name)), *_paired(one, other, name)))
    rows += [(title, *figures, "", "") for title, figures in cold_start_rows([one, other])]
    if one.timings:
        rows += _model_rows(one, other)
    how = one.protocol
    length = "natural" if how["forced_tokens"] is None else f"forced to {how['forced_tokens']} tokens"
    questions, blocks = counted(how["n_queries"], "question", "questions"), counted(how["n_blocks"], "block", "blocks")
    threads = counted(how["threads"], "thread", "threads")
    reading = (
        f"{how['scenario']}, {questions} in {blocks}, arms in alternation, {how['device']}, {threads}, "
        f"caches {how['cache_state']}, answers {length}. The gap of the means must follow from stages and tokens within 10 %. Where the "
        "slowest block is far from the fastest, the machine was not quiet: measure again."
    )
    return Table(f"Latency, {how['scenario']}: {b.label} against {a.label}", reading, _header(a, b), tuple(rows))


def _paired(one: LatencyRecord, other: LatencyRecord, name: str) -> tuple[Cell, Cell]:
    """Ratio of quantiles and shift of the whole time, by question, blocks as clusters; of other measures nothing."""
    if name not in QUANTILES or one.protocol["n_blocks"] < 2:
        return "", ""
    theirs = {timing.example_id: timing for timing in other.timings}
    both = [(timing, theirs[timing.example_id]) for timing in one.timings if timing.example_id in theirs]
    a, b = ([pair[at].e2e_s for pair in both] for at in (0, 1))
    blocks = [pair[0].block for pair in both]
    ratio = ratio_of_percentiles(b, a, blocks, QUANTILES[name], SEED)
    by = hodges_lehmann(a, b, blocks) if name == "latency/e2e_p50_ms" else None
    return interval_figure(ratio), "" if by is None else interval_figure(by, "ms", scale=1000)


def _model_rows(one: LatencyRecord, other: LatencyRecord) -> list[tuple[Cell, ...]]:
    gap = measured_gap(other.timings, one.timings)
    try:
        predicted = predicted_gap(fit([*one.timings, *other.timings]), other.timings, one.timings)
    except ValueError as error:
        return [("gap of the means, ms", Figure(None), Figure(None), Figure(None, note=str(error)), "")]
    if gap is None:
        verdict = "not measured"
    elif not is_told_from_0(gap):
        verdict = "cannot be told: the gap may be 0"
    else:
        verdict = "agrees" if agrees(predicted, gap) else "DISAGREES: something is measured wrongly"
    return [
        ("slowest block / fastest, to the first token", Figure(_spread(one)), Figure(_spread(other)), "", ""),
        ("gap of the means, ms: measured", "", "", "", figure(_in_ms(gap))),
        ("gap of the means, ms: from stages and tokens", "", "", verdict, Figure(1000 * predicted)),
    ]


def _spread(record: LatencyRecord) -> float:
    """The largest median of a block over the smallest: far from 1 the machine was not quiet, and no interval knows it.

    Of the model's first token where it is known, because the lengths of answers differ between blocks.
    """
    blocks: dict[int, list[float]] = {}
    for timing in record.timings:
        blocks.setdefault(timing.block, []).append(timing.seconds.get("prefill", timing.e2e_s))
    medians = [median(times) for times in blocks.values()]
    return max(medians) / min(medians)


def _in_ms(one: Estimate | None) -> Estimate | None:
    return one and Estimate(1000 * one.mean, 1000 * one.low, 1000 * one.high, one.n, one.n_clusters)


def _batches(arms: Sequence[Arm]) -> Table:
    stages = list(dict.fromkeys(stage for arm in arms for stage in arm.run.record.facts.outcomes.seconds))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (Term(stage, timed_label(stage)), *(Figure(_batch(arm, stage)) for arm in arms)) for stage in stages or ["e2e"]
    )
    reading = (
        "Mean seconds of a question's share of its batch, as in the runs: where time goes in bulk, no latency of a request. recorded: the "
        "whole time that another system recorded."
    )
    return Table("Seconds a question, in batches", reading, ("stage", *(arm.label for arm in arms)), rows)


def _batch(arm: Arm, stage: str) -> float | None:
    found = arm.run.record.facts.outcomes.seconds.get(stage)
    return None if found is None else found.mean
