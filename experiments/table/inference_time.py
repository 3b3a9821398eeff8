"""Inference time: a question from its arrival to the last token, one after the other, arms in alternation.

Thresholds are those of section 2.5 of the protocol: ten per cent of a latency count as no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from experiments.effects.arms import ARMS, Arms, Plan, searching
from experiments.effects.trained_arms import BASE, TRAINED
from experiments.study import Run
from experiments.table.live import LIVE, Live, live
from experiments.table.presets import Preset
from experiments.table.row import Curve, Point, Row
from experiments.table.sessions import forced, natural
from rag_eval.latency.record import LatencyRecord
from rag_eval.report.claims.claim import Measured, Missing, Precondition, Results, TableClaim
from rag_eval.report.claims.declare import ANY, RAG_PRO, TUNED_CON, TUNED_PRO, above, declare, within
from rag_eval.report.claims.measures import training_seconds
from rag_eval.report.claims.numbers import mean_of, of_repetitions, ratio_at, ratio_of
from rag_eval.report.claims.stated import stated
from rag_eval.report.claims.timed import (
    FORCED,
    NATURAL,
    SLOWER,
    Session,
    Size,
    e2e_ratio,
    mean_gap,
    paired,
    predicted_by_measured,
    retrieval_share,
    retrieval_share_of_gap,
)
from rag_eval.stats.estimate import estimate

RAG, BARE = "rag", "closed_book"
ONE_PASSAGE = "rag, one passage"
STAGES = ("embed", "search", "rerank", "prompt", "prefill", "decode")  # in the order of a question
NARROW, WIDE = Size(80, 10), Size(160, 16)  # a 95th percentile needs 59 questions, an interval 10 clusters
P95, MEDIAN = 0.95, 0.5
SOURCE = "protocol 2.5"


def slower(session: str, arm: str, q: float, found: Results, _: str) -> Measured:
    """The q-quantile of the time of an arm, divided by that of the fine-tuned model."""
    timed: Session = found.work[session]
    if arm not in timed:
        return Missing(f"{arm} is not part of this preset")
    return e2e_ratio(timed[arm], timed[BASE], q)


def training_by_writing(found: Results, _: str) -> Measured:
    """Seconds of a training, the mean over worlds taken as exact, divided by those of replacing a document in the live store."""
    measured: Live | Missing = found.work[LIVE]
    if isinstance(measured, Missing):
        return measured
    trained_s = training_seconds(found.arms[BASE])
    if isinstance(trained_s, Missing):
        return trained_s
    return of_repetitions(ratio_of([trained_s] * len(measured.write_s), measured.write_s, range(len(measured.write_s))))


def found_at_once(found: Results, _: str) -> Measured:
    """Share of replaced documents whose new text the next question finds."""
    measured: Live | Missing = found.work[LIVE]
    if isinstance(measured, Missing):
        return measured
    return of_repetitions(mean_of(measured.is_found, range(len(measured.is_found)), is_share=True))


def slower_while_written_to(found: Results, _: str) -> Measured:
    """The median time of rag while documents are written, divided by that with nothing else going on."""
    measured: Live | Missing = found.work[LIVE]
    if isinstance(measured, Missing):
        return measured
    pairs = paired(measured.busy, measured.quiet)
    busy, quiet = ([pair[at].e2e_s for pair in pairs] for at in (0, 1))
    return ratio_at(busy, quiet, [one.block for one, _ in pairs], MEDIAN)


def share_of_answer(found: Results, _: str) -> Measured:
    """The retrieval step's share of the time of rag."""
    return retrieval_share(found.work[NATURAL][RAG])


def share_of_gap(found: Results, _: str) -> Measured:
    """The retrieval step's share of the time by which rag is slower than the fine-tuned model."""
    return _of_gap(retrieval_share_of_gap, found)


def gap_in_seconds(found: Results, _: str) -> Measured:
    """Mean seconds by which rag is slower than the fine-tuned model."""
    return _of_gap(mean_gap, found)


def additive_model(found: Results, _: str) -> Measured:
    """The gap that the additive model tells, divided by the measured one."""
    return _of_gap(predicted_by_measured, found)


def _of_gap(of: Callable[[LatencyRecord, LatencyRecord], Measured], found: Results) -> Measured:
    timed: Session = found.work[NATURAL]
    return of(timed[RAG], timed[BASE])


def claims(_: Preset) -> Sequence[TableClaim]:
    """The claims of the row."""
    return (
        stated(
            "inference-time/fine-tuning-slowest-answers",
            f"{SOURCE}: refuted if the fine-tuned model takes as long or longer",
            partial(slower, NATURAL, RAG, P95),
            (NATURAL,),
        ),
        stated("inference-time/fine-tuning-equal-length", f"{SOURCE}: forced length", partial(slower, FORCED, RAG, P95), (FORCED,)),
        declare(
            "inference-time/fine-tuning-one-passage",
            TUNED_PRO,
            "Retrieval with a single passage is still more than a tenth slower",
            above(1.1),
            "median from question to last token, rag with one passage / finetune",
            f"{SOURCE}: refuted if rag with k=1 is within ten per cent",
            partial(slower, NATURAL, ONE_PASSAGE, MEDIAN),
            (NATURAL, ONE_PASSAGE),
            "times",
            ANY,
        ),
        declare(
            "inference-time/fine-tuning-retraining",
            TUNED_CON,
            "A retraining takes at least ten times as long as writing the changed document into the live store",
            above(10.0),
            "seconds of a training, mean over worlds / seconds of replacing a document in PostgreSQL, embedding included",
            "protocol 2.4: at least ten times",
            training_by_writing,
            (BASE, LIVE),
            "times",
            ANY,
        ),
        declare(
            "inference-time/rag-current",
            RAG_PRO,
            "The question after a document was written finds its new text",
            above(0.95),
            "share of documents replaced in PostgreSQL whose new text the next search gives",
            "protocol 2.4: at least 95 % of the canary questions",
            found_at_once,
            (LIVE,),
            "share",
            ANY,
        ),
        declare(
            "inference-time/rag-written-to",
            RAG_PRO,
            "Answers take no longer while documents are written into the store",
            within(1.0, 0.1),
            "median from question to last token, rag on PostgreSQL, a document written beside each question, none beside the next / none",
            f"{SOURCE}; 2.0: ten per cent of a latency count as no difference",
            slower_while_written_to,
            (LIVE,),
            "times",
            ANY,
        ),
        stated(
            "inference-time/rag-retrieval", f"{SOURCE}; 2.0: ten per cent of a latency count as no difference", share_of_answer, (NATURAL,)
        ),
        stated(
            "inference-time/rag-gap",
            f"{SOURCE}: expected to be refuted, since rag is slower by reading the prompt, not by searching",
            share_of_gap,
            (NATURAL,),
            given=(Precondition(SLOWER, gap_in_seconds, 0.0, (NATURAL,)),),
        ),
        stated(
            "inference-time/rag-stages",
            f"{SOURCE}: must hold within ten per cent, else something is measured wrongly",
            additive_model,
            (NATURAL,),
        ),
    )


def arms(preset: Preset) -> Arms:
    """Runs of both sides and of the base model."""
    found: Arms = {BARE: ARMS[BARE], RAG: ARMS[RAG], BASE: TRAINED[BASE]}
    return found | {ONE_PASSAGE: (searching("retriever.k=1"),)} if preset.is_wide else found


def work(preset: Preset, plan: Plan) -> Sequence[Run[Any, Any]]:
    """The sessions."""
    size, every = size_of(preset), arms(preset)
    return [natural(plan, every, size), forced(plan, {arm: every[arm] for arm in (RAG, BASE)}, size), live(plan, size)]


def size_of(preset: Preset) -> Size:
    """Of the sessions of a preset."""
    return WIDE if preset.is_wide and preset.n_questions >= WIDE.n_queries else NARROW


def curves(_: Preset, found: Results) -> Sequence[Curve]:
    """Latency by stage."""
    if found.lacking((NATURAL,)):
        return []
    timed: Session = found.work[NATURAL]
    there = [stage for stage in STAGES if any(stage in one.seconds for record in timed.values() for one in record.timings)]
    series = {arm: _stages(record, there) for arm, record in timed.items()}
    axis = "stage: " + ", ".join(f"{number} {stage}" for number, stage in enumerate(there, start=1))
    return [Curve("latency-by-stage", "Mean time of a question by stage, one request at a time", axis, "ms", series)]


def _stages(record: LatencyRecord, stages: Sequence[str]) -> tuple[Point, ...]:
    blocks = [one.block for one in record.timings]
    points = []
    for number, stage in enumerate(stages, start=1):
        ms = [1000 * one.seconds[stage] for one in record.timings if stage in one.seconds]
        one = estimate(ms, blocks, binary=False, bounds=None) if len(ms) == len(blocks) else None
        points += [] if one is None else [Point.of(number, one)]
    return tuple(points)


ROW = Row("Inference time", claims, arms, work, curves)
