"""Two runs over the same questions: differences, discordant answers, and where the difference comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rag_eval.record.load import RecordedRun
from rag_eval.report.table import Figure, figure
from rag_eval.score.scorer import HOLDS_EVIDENCE, WAS_GIVEN_EVIDENCE
from rag_eval.stats.bootstrap import cluster_counts, expanded, percentile_interval
from rag_eval.stats.decomposition import Column, Total, flipped, kitagawa, parts, resampled, wrong_by_stratum
from rag_eval.stats.estimate import estimate
from rag_eval.stats.paired_tests import paired_difference

N_RESAMPLES = 10_000
SEED = 0
ROUNDING = 1e-12
NO_CONTEXT = "none"
UNJUDGED = "no question was judged in both"


@dataclass(frozen=True)
class Questions:
    """Questions that several runs share, by cluster."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """The cluster of each question, numbered from 0 without gaps."""
        numbers = {cluster: at for at, cluster in enumerate(dict.fromkeys(self.clusters))}
        return np.array([numbers[cluster] for cluster in self.clusters], dtype=np.int64)

    @cached_property
    def total(self) -> Total:
        """Sums in every resample; the same resamples for every arm and measure."""
        return resampled(self.codes, cluster_counts(int(self.codes.max()) + 1, N_RESAMPLES, SEED))

    def where(self, keep: NDArray[np.bool_]) -> Questions:
        """Those of them that a mask keeps."""
        at = np.flatnonzero(keep).tolist()
        return Questions(tuple(self.ids[i] for i in at), tuple(self.clusters[i] for i in at))


def shared(runs: Sequence[RecordedRun]) -> Questions:
    """The questions that every run was asked, in the order of the first."""
    ids = [id for id in runs[0].questions if all(id in run.questions for run in runs)]
    return Questions(tuple(ids), tuple(runs[0].questions[id].cluster for id in ids))


def hits(run: RecordedRun, ids: Sequence[str], measure: str = HOLDS_EVIDENCE) -> Column:
    """Whether the evidence stood in the prompt: 0 throughout where a run shows no passages, nan where evidence is not known."""
    return np.zeros(len(ids)) if run.record.facts.provenance.context == NO_CONTEXT else run.column(measure, ids)


def decomposable(runs: Sequence[RecordedRun], measure: str, questions: Questions) -> Questions:
    """The questions with a score in [0, 1] and known evidence in every run."""
    keep = np.ones(len(questions.ids), dtype=bool)
    for run in runs:
        score = run.column(measure, questions.ids)
        keep &= (score >= 0) & (score <= 1) & ~np.isnan(hits(run, questions.ids))
    return questions.where(keep)


def parts_figures(run: RecordedRun, measure: str, questions: Questions) -> tuple[Figure, ...]:
    """acc, h, h before truncation, w_hit and w_miss, each a mean over some of the questions."""
    right, hit = run.column(measure, questions.ids), hits(run, questions.ids)
    given = hits(run, questions.ids, WAS_GIVEN_EVIDENCE)
    in_hit, in_miss = wrong_by_stratum(right, hit)
    return (
        _mean(right, questions),
        _mean(hit, questions),
        _mean(given, questions),
        _mean(in_hit, questions, "never in the prompt"),
        _mean(in_miss, questions, "always in the prompt"),
    )


def kitagawa_figures(a: RecordedRun, b: RecordedRun, measure: str, questions: Questions) -> tuple[Figure, ...]:
    """The difference b - a and its terms: retrieval, reading, fallback; the terms' intervals by bootstrap over clusters."""
    columns = [(run.column(measure, questions.ids), hits(run, questions.ids)) for run in (a, b)]
    point_a, point_b = (parts(*one) for one in columns)
    samples_a, samples_b = (parts(*one, questions.total) for one in columns)
    point, samples = kitagawa(point_a, point_b), kitagawa(samples_a, samples_b)
    difference = figure(paired_difference(columns[0][0].tolist(), columns[1][0].tolist(), questions.clusters))
    return difference, *(_resampled(getattr(point, one), getattr(samples, one), questions) for one in ("retrieval", "reading", "fallback"))


def flip_figures(a: RecordedRun, b: RecordedRun, measure: str, questions: Questions) -> tuple[Figure, Figure]:
    """Rescue and harm of b over a, of 0/1 scores; not measured for others."""
    one, other = a.column(measure, questions.ids), b.column(measure, questions.ids)
    judged = ~np.isnan(one) & ~np.isnan(other)
    if not judged.any():
        return Figure(None, note=UNJUDGED), Figure(None, note=UNJUDGED)
    if not np.isin(np.concatenate([one[judged], other[judged]]), (0.0, 1.0)).all():
        return Figure(None, note="needs 0/1 scores"), Figure(None, note="needs 0/1 scores")
    rescue, harm = flipped(one, other)
    return _mean(rescue, questions, "never wrong"), _mean(harm, questions, "never right")


def _mean(values: Column, questions: Questions, why_not: str = "") -> Figure:
    judged = values[~np.isnan(values)]
    return figure(
        estimate(values.tolist(), questions.clusters, binary=bool(np.isin(judged, (0.0, 1.0)).all())),
        note=why_not if not len(judged) else "",
    )


def _resampled(value: Column, samples: Column, questions: Questions) -> Figure:
    n_clusters = int(questions.codes.max()) + 1
    if n_clusters < 2:
        return Figure(float(value), n=len(questions.ids), n_clusters=1, note="one cluster: no interval")
    if np.ptp(samples) <= ROUNDING:
        return Figure(float(value), n=len(questions.ids), n_clusters=n_clusters, note="no resample varies: no interval")
    low, high = percentile_interval(samples, expanded(0.95, n_clusters))
    return Figure(float(value), float(low), float(high), len(questions.ids), n_clusters)
