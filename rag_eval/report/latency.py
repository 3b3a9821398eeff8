"""Latency of compared arms: percentiles, ratios by question, and whether the parts explain the difference."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.latency.latency_record import LatencyRecord
from rag_eval.latency.model import agrees, fit, measured_gap, predicted_gap
from rag_eval.latency.summary import summarised
from rag_eval.record.latency_file import SINGLE_STREAM, read_latencies
from rag_eval.report.accuracy import Arm, pairs
from rag_eval.report.sections import Cell, Figure, Section, figure
from rag_eval.score.ratio import ratio_of_percentiles
from rag_eval.score.shift import shift
from rag_eval.types import Estimate

SEED = 0  # of the bootstrap
QUANTILES = {"latency/e2e_p50_ms": 0.5, "latency/e2e_p95_ms": 0.95}  # whose ratio is told
HOW = "rag-eval latency mode=<both>"


def latency_sections(arms: Sequence[Arm]) -> list[Section]:
    """What was timed under a protocol, and what the batches of the runs took, which is no latency."""
    found = {arm.label: {record.session: record for record in read_latencies(arm.run.folder)} for arm in arms}
    sections = [_pair_section(a, b, found[a.label], found[b.label]) for a, b in pairs(arms)]
    return [*sections, _batch_section(arms)]


def _pair_section(a: Arm, b: Arm, first: dict[str, LatencyRecord], second: dict[str, LatencyRecord]) -> Section:
    title = f"Latency: {b.label} against {a.label}"
    header = ("measure", a.label, b.label, "ratio", "difference (Hodges-Lehmann)")
    common = [name for name in first if name in second]
    if not common:
        missing = Figure(None, note=HOW)
        return Section(title, "", header, (("latency/e2e_p50_ms", missing, Figure(None), Figure(None), Figure(None)),))
    single = [name for name in common if first[name].protocol["scenario"] == SINGLE_STREAM]
    session = (single or common)[-1]
    one, other = first[session], second[session]
    left, right = summarised(one), summarised(other)
    rows: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys([*left, *right]):
        cells = [Figure(x.value, x.low, x.high, x.n, x.n_clusters) if (x := side.get(name)) else Figure(None) for side in (left, right)]
        rows.append((name, *cells, *_paired(one, other, name)))
    if one.timings:
        rows += _model_rows(one, other)
    reading = (
        f"{one.protocol['scenario']}, {one.protocol['n_queries']} questions in {one.protocol['n_blocks']} blocks, arms in alternation, on "
        f"{one.protocol['device']}, {one.protocol['threads']} threads. The gap of the means must follow from stages and tokens within 10 %."
    )
    return Section(title, reading, header, tuple(rows))


def _paired(one: LatencyRecord, other: LatencyRecord, name: str) -> tuple[Cell, Cell]:
    """Ratio of quantiles and shift of the whole time, by question, blocks as clusters; of other measures nothing."""
    if name not in QUANTILES or one.protocol["n_blocks"] < 2:
        return "", ""
    theirs = {timing.example_id: timing for timing in other.timings}
    both = [(timing, theirs[timing.example_id]) for timing in one.timings if timing.example_id in theirs]
    a, b = ([pair[at].e2e_s for pair in both] for at in (0, 1))
    blocks = [pair[0].block for pair in both]
    ratio = ratio_of_percentiles(b, a, blocks, QUANTILES[name], SEED)
    shown = Figure(None) if ratio is None else Figure(ratio.value, ratio.low, ratio.high, ratio.n, ratio.n_clusters)
    by = shift(a, b, blocks) if name == "latency/e2e_p50_ms" else None
    return shown, "" if by is None else Figure(1000 * by.value, 1000 * by.low, 1000 * by.high, by.n, by.n_clusters, "ms")


def _model_rows(one: LatencyRecord, other: LatencyRecord) -> list[tuple[Cell, ...]]:
    gap = measured_gap(other.timings, one.timings)
    try:
        predicted = predicted_gap(fit([*one.timings, *other.timings]), other.timings, one.timings)
    except ValueError as error:
        return [("gap of the means, ms", Figure(None), Figure(None), Figure(None, note=str(error)), "")]
    verdict = "not measured" if gap is None else "agrees" if agrees(predicted, gap) else "DISAGREES: something is measured wrongly"
    return [
        ("gap of the means, ms: measured", "", "", "", figure(_in_ms(gap))),
        ("gap of the means, ms: from stages and tokens", "", "", verdict, Figure(1000 * predicted)),
    ]


def _in_ms(one: Estimate | None) -> Estimate | None:
    return one and Estimate(1000 * one.mean, 1000 * one.low, 1000 * one.high, one.n, one.n_clusters)


def _batch_section(arms: Sequence[Arm]) -> Section:
    stages = list(dict.fromkeys(stage for arm in arms for stage in arm.run.record.facts.get("seconds") or {}))
    rows = tuple((stage, *(Figure(_batch(arm, stage)) for arm in arms)) for stage in stages or ["e2e"])
    reading = "Mean seconds of a question's share of its batch, as in the runs: where time goes in bulk, no latency of a request."
    return Section("Seconds a question, in batches", reading, ("stage", *(arm.label for arm in arms)), rows)


def _batch(arm: Arm, stage: str) -> float | None:
    found = (arm.run.record.facts.get("seconds") or {}).get(stage)
    return None if found is None else float(found["mean"])
