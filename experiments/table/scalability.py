"""Scalability: what more facts and more documents do to both sides.

Thresholds are those of section 2.6 of the protocol. Vectors beyond those of the world's documents are random unit vectors, so recall and
times are of a real search among noise, not among look-alikes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np

from experiments.effects.arms import Arms, Plan
from experiments.effects.measures import slope
from experiments.effects.trained_arms import BASE, PHRASINGS, RANKED, TRAINED, UNTAUGHT, phrased, untaught
from experiments.study import Run
from experiments.table.index_sizes import DIM, INDEXES, N_APPENDED, K, Sized, name_of, sizes
from experiments.table.inference_time import arms as timed_arms
from experiments.table.inference_time import size_of
from experiments.table.presets import Preset
from experiments.table.row import Curve, Point, Row
from experiments.table.sessions import natural
from rag_eval.record.run_record import RunRecord
from rag_eval.report.claims.claim import Measured, Missing, Results, TableClaim
from rag_eval.report.claims.declare import ANY, MARGIN, RAG_CON, RAG_PRO, TUNED_CON, TUNED_PRO, above, below, declare, within
from rag_eval.report.claims.measures import change, of, training_seconds
from rag_eval.report.claims.numbers import constant, log_slope, mean_of, number_of, of_repetitions, ratio_at, slopes
from rag_eval.report.claims.stated import stated
from rag_eval.report.claims.timed import NATURAL, Session, prefill_ratio
from rag_eval.report.claims.values import Pools, Values, estimate_of, mean
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.stats.estimate import estimate
from rag_eval.stats.percentile import percentile

BARE = "closed_book"
HALF = "finetune, half of the entities"
EXACT, GRAPH, LISTS = INDEXES
P95 = 0.95
SOURCE = "protocol 2.6"
BEYOND = "random unit vectors beyond the documents of the world"


def same_time_with_facts(found: Results, _: str) -> Measured:
    """The median time of reading the prompt of the fine-tuned model, divided by that of the base model."""
    timed: Session = found.work[NATURAL]
    return prefill_ratio(timed[BASE], timed[BARE])


def taught(found: Pools, arm: str) -> list[str]:
    """Questions about entities that training asks about."""
    unasked = set(untaught(found, arm))
    return [name for name in found[arm].rows if name not in unasked]


def one_more_fact(largest: int, found: Results, _: str) -> Measured:
    """Seconds of a training, the mean over worlds taken as exact, divided by the median of adding a vector to the largest graph."""
    trained_s = training_seconds(found.arms[BASE])
    if isinstance(trained_s, Missing):
        return trained_s
    added = _sized(found, largest).indexes[GRAPH].append_s
    return of_repetitions(ratio_at([trained_s] * len(added), added, range(len(added)), 0.5))


def training_slope(found: Results, _: str) -> Measured:
    """Slope of the logarithm of training seconds over that of facts, half and all of the entities, one value a world."""
    found_slopes = []
    for records in zip(found.arms[HALF].records, found.arms[BASE].records, strict=True):
        (fewer, fewer_s), (more, more_s) = (_training(record) for record in records)
        if fewer is None or more is None or fewer_s is None or more_s is None:
            return Missing("rows and seconds of a training were not recorded")
        found_slopes.append(math.log(more_s / fewer_s) / math.log(more / fewer))
    if len(found_slopes) < 2:
        return Missing("a single world tells nothing of others")
    return of_repetitions(mean_of(found_slopes, range(len(found_slopes))))


def search_slope(index: str, n_vectors: Sequence[int], found: Results, _: str) -> Measured:
    """Slope of the logarithm of a question's search seconds over that of the number of vectors."""
    measured = [_sized(found, n) for n in n_vectors]
    return mean_of(slopes({one.n_vectors: one.indexes[index].search_s for one in measured}), measured[0].blocks)


def recall_at(index: str, n_vectors: int, found: Results, _: str) -> Measured:
    """Share of the exact index's best that an index finds."""
    one = _sized(found, n_vectors)
    return number_of(_recall(one, one.indexes[index].recall, (0.0, 1.0)))


def recall_change(index: str, smallest: int, largest: int, found: Results, _: str) -> Measured:
    """Recall at the largest - at the smallest size, by question."""
    few, many = _sized(found, smallest), _sized(found, largest)
    changed = [b - a for a, b in zip(few.indexes[index].recall, many.indexes[index].recall, strict=True)]
    return number_of(_recall(few, changed, (-1.0, 1.0)))


def memory_slope(index: str, n_vectors: Sequence[int], found: Results, _: str) -> Measured:
    """Slope of the logarithm of an index's bytes over that of its vectors, by least squares; it has no error."""
    x = np.log(n_vectors)
    y = np.log([_sized(found, n).indexes[index].stored_bytes for n in n_vectors])
    return constant(float(np.polyfit(x, y, 1)[0]), len(n_vectors))


def build_slope(index: str, n_vectors: Sequence[int], found: Results, _: str) -> Measured:
    """Slope of the logarithm of the seconds of building an index over that of its vectors."""
    return log_slope({n: _sized(found, n).indexes[index].build_s for n in n_vectors})


def _sized(found: Results, n_vectors: int) -> Sized:
    one: Sized = found.work[name_of(n_vectors)]
    return one


def _recall(one: Sized, values: Sequence[float], bounds: tuple[float, float]) -> Values:
    return Values(tuple(values), tuple(map(str, range(len(values)))), one.clusters, bounds)


def _training(record: RunRecord) -> tuple[int | None, float | None]:
    """Rows that were trained on, as many for each fact in every arm here, and seconds; None = not recorded."""
    history = record.facts.outcomes.training
    return None if history is None else history.n_rows, record.spends["learn"].seconds


def claims(preset: Preset) -> Sequence[TableClaim]:
    """The claims of the row."""
    smallest, largest = preset.vectors[0], preset.vectors[-1]
    every = tuple(name_of(n) for n in preset.vectors)
    ends = (name_of(smallest), name_of(largest))
    span = f"{smallest:,} to {largest:,} vectors of at most {DIM} numbers, {BEYOND}"
    return (
        stated(
            "scalability/fine-tuning-reading-time",
            f"{SOURCE}: constant inference cost; 2.0: ten per cent of a latency count as no difference",
            same_time_with_facts,
            (NATURAL,),
        ),
        declare(
            "scalability/fine-tuning-twice-the-facts",
            TUNED_PRO,
            "Twice as many facts are held as well as half of them",
            within(0.0, MARGIN),
            "right answers, finetune on all entities - on half of them, each fact seen as often, questions about that half",
            f"{SOURCE}: refuted if the capacity is not reached; margin of the declared effects",
            change(HALF, BASE, taught),
            (HALF, BASE),
            "share",
            (EM, CONTAINS),
        ),
        declare(
            "scalability/fine-tuning-one-more-fact",
            TUNED_CON,
            "For one more fact a retraining takes at least ten times as long as adding a vector to the largest index",
            above(10.0),
            f"seconds of a training, mean over worlds / median of adding a vector to HNSW, {N_APPENDED} times, at {largest:,} vectors",
            "protocol 2.4: at least ten times",
            partial(one_more_fact, largest),
            (BASE, name_of(largest)),
            "times",
            ANY,
        ),
        declare(
            "scalability/fine-tuning-retraining",
            TUNED_CON,
            "Seconds of retraining grow in proportion to the facts",
            within(1.0, 0.1),
            "log-log slope of training seconds over training rows, half and all of the entities, each fact seen as often",
            f"{SOURCE}: slope 1 at fixed exposures",
            training_slope,
            (HALF, BASE),
            "slope",
            ANY,
        ),
        declare(
            "scalability/fine-tuning-rank",
            TUNED_CON,
            "An adapter of a lower rank holds fewer facts",
            above(0.0),
            f"exact match a doubling of the rank, slope over {', '.join(map(str, RANKED))}",
            "protocol 2.6; 2.7 H15; 3.6 E15",
            of(slope({math.log2(rank): arm for rank, arm in RANKED.items()})),
            tuple(RANKED.values()),
            "share a doubling",
            (EM,),
            is_of_capacity=True,
        ),
        declare(
            "scalability/rag-graph-search",
            RAG_PRO,
            "A search through a graph takes hardly longer among more documents",
            below(0.3),
            f"log-log slope of search seconds over vectors, HNSW, mean over questions, {span}",
            f"{SOURCE}: slope of HNSW from 0 to 0.3",
            partial(search_slope, GRAPH, preset.vectors),
            every,
            "slope",
            ANY,
        ),
        declare(
            "scalability/rag-graph-recall",
            RAG_PRO,
            "At the largest size a graph still finds what an exact search finds",
            above(0.95),
            f"recall@{K} of HNSW relative to the exact index, {largest:,} vectors, {BEYOND}",
            f"{SOURCE}: recall relative to flat; 0.95 as of all that must hold",
            partial(recall_at, GRAPH, largest),
            (name_of(largest),),
            "share",
            ANY,
        ),
        declare(
            "scalability/rag-exact-search",
            RAG_CON,
            "An exact search takes time in proportion to the documents",
            within(1.0, 0.1),
            f"log-log slope of search seconds over vectors, exact, mean over questions, {span}",
            f"{SOURCE}: slope of flat search 1",
            partial(search_slope, EXACT, preset.vectors),
            every,
            "slope",
            ANY,
        ),
        declare(
            "scalability/rag-lists-recall",
            RAG_CON,
            "Inverted lists find less of what an exact search finds among more documents",
            below(-0.02),
            f"recall@{K} of IVF relative to the exact index, {largest:,} - {smallest:,} vectors, {BEYOND}",
            f"{SOURCE}: refuted if recall is flat; 2.0: two points count as no difference",
            partial(recall_change, LISTS, smallest, largest),
            ends,
            "share",
            ANY,
        ),
        declare(
            "scalability/rag-memory",
            RAG_CON,
            "The memory of the index grows in proportion to the documents",
            within(1.0, 0.1),
            f"log-log slope of the bytes of the saved index over vectors, HNSW, {span}",
            f"{SOURCE}: bytes (4d + 8M) N",
            partial(memory_slope, GRAPH, preset.vectors),
            every,
            "slope",
            ANY,
        ),
        declare(
            "scalability/rag-building",
            RAG_CON,
            "Building the graph takes time at least in proportion to the documents",
            above(0.9),
            f"log-log slope of the seconds of building over vectors, HNSW, {span}",
            f"{SOURCE}: slope of building about 1; ten per cent count as no difference",
            partial(build_slope, GRAPH, preset.vectors),
            every,
            "slope",
            ANY,
        ),
    )


def arms(preset: Preset) -> Arms:
    """Runs that are timed, and of wide presets those of other ranks and of half of the facts."""
    found = timed_arms(preset)
    ranked: Arms = {arm: TRAINED[arm] for arm in RANKED.values()}
    return found | ranked | {HALF: (phrased(PHRASINGS[-1], UNTAUGHT),)} if preset.is_wide else found


def work(preset: Preset, plan: Plan) -> Sequence[Run[Any, Any]]:
    """The session and all sizes."""
    return [natural(plan, timed_arms(preset), size_of(preset)), *sizes(plan, preset.vectors)]


def curves(preset: Preset, found: Results) -> Sequence[Curve]:
    """Recall, search time and memory against size; facts held against rank; seconds of training against facts."""
    measured = [_sized(found, n) for n in preset.vectors if not found.lacking((name_of(n),))]
    made = _of_sizes(measured) if measured else []
    if not found.lacking(tuple(RANKED.values())):
        points = [(rank, estimate_of(mean(arm)(found.arms))) for rank, arm in RANKED.items()]
        held = {"finetune": tuple(Point.of(rank, one) for rank, one in points if one is not None)}
        made.append(Curve("facts-held-by-rank", "Facts held by an adapter by its rank", "rank", "exact match", held, log_x=True))
    if not found.lacking((HALF, BASE)):
        times = {"finetune": tuple(point for arm in (HALF, BASE) if (point := _trainings(found.arms[arm].records)) is not None)}
        made.append(Curve("training-by-facts", "Seconds of a training by its rows", "training rows", "s", times, log_x=True, log_y=True))
    return made


def _of_sizes(measured: Sequence[Sized]) -> list[Curve]:
    axis = f"vectors, {BEYOND}"
    recall = {index: tuple(_point(one, one.indexes[index].recall) for one in measured) for index in (GRAPH, LISTS)}
    p95 = {index: tuple(_p95(one, index) for one in measured) for index in INDEXES}
    memory = {index: tuple(Point(one.n_vectors, one.indexes[index].stored_bytes / 2**20) for one in measured) for index in INDEXES}
    built = {index: tuple(Point(one.n_vectors, one.indexes[index].build_s) for one in measured) for index in INDEXES}
    return [
        Curve("recall-by-vectors", f"Recall@{K} relative to exact search", axis, f"recall@{K}", recall, log_x=True),
        Curve("search-by-vectors", "95th percentile of a search, one question at a time", axis, "ms", p95, log_x=True, log_y=True),
        Curve("memory-by-vectors", "Size of the saved index", axis, "MiB", memory, log_x=True, log_y=True),
        Curve("building-by-vectors", "Building the index", axis, "s", built, log_x=True, log_y=True),
    ]


def _point(one: Sized, values: Sequence[float]) -> Point:
    found = estimate(values, one.clusters, binary=False)
    return Point(one.n_vectors, fmean(values)) if found is None else Point.of(one.n_vectors, found)


def _p95(one: Sized, index: str) -> Point:
    found = percentile([1000 * seconds for seconds in one.indexes[index].search_s], P95)
    return Point(one.n_vectors, found.value, found.low, found.high, found.n)


def _trainings(records: Sequence[RunRecord]) -> Point | None:
    known = [(rows, seconds) for rows, seconds in map(_training, records) if rows is not None and seconds is not None]
    return Point(fmean(rows for rows, _ in known), fmean(seconds for _, seconds in known), n=len(known)) if known else None


ROW = Row("Scalability", claims, arms, work, curves)
