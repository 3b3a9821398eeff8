"""How long the paired cluster bootstrap takes at the size of a report: 10,000 resamples of 1,000 questions, 200 columns.

Drawing, resampled means and intervals are timed together, each question its own cluster, as there are no more clusters
than that. The limit is 1 s on 2 processor cores. Writes reports/bench/bootstrap.md and .json.

    python -m experiments.bench.bootstrap
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.study import Found, Report, Run, Study
from rag_eval.report.table import Table
from rag_eval.stats.bootstrap import bootstrap_means, cluster_weights, percentile_interval

N_RESAMPLES, N_QUESTIONS, N_COLUMNS = 10_000, 1_000, 200
N_REPEATS = 5
LIMIT_S = 1.0
SIZE = f"{N_RESAMPLES:,} resamples of {N_QUESTIONS:,} questions, {N_COLUMNS} columns"


@dataclass(frozen=True)
class Options:
    """Where the report is."""

    out: Path = Path("reports/bench")


def runs(_: Options) -> list[Run[int, float]]:
    """The repeats; the first, which starts threads, is one more and does not count."""
    return [Run(at, lambda _: once_s()) for at in range(N_REPEATS + 1)]


def once_s() -> float:
    """Wall seconds of one bootstrap; the columns exist before."""
    columns = (np.random.default_rng(0).random((N_QUESTIONS, N_COLUMNS)) < 0.7).astype(np.float64)
    codes = np.arange(N_QUESTIONS)
    start = time.perf_counter()
    percentile_interval(bootstrap_means(columns, codes, cluster_weights(N_QUESTIONS, N_RESAMPLES, seed=0)))
    return time.perf_counter() - start


def report(_: Options, found: Found[int, float]) -> Report:
    """The median beside the limit."""
    seconds = [found[at] for at in range(1, N_REPEATS + 1)]
    median_s = statistics.median(seconds)
    row = (
        f"{median_s:.3f} ({min(seconds):.3f} to {max(seconds):.3f})",
        f"{LIMIT_S:g}",
        "met" if median_s <= LIMIT_S else "NOT met",
    )
    reading = f"{SIZE}; in brackets the fastest and the slowest of {N_REPEATS}."
    return Report([Table("One bootstrap", reading, ("median, s", "limit, s", "reached"), (row,))], more={"seconds": seconds})


STUDY = Study("bootstrap", "Speed of the bootstrap", "experiments.bench.bootstrap", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
