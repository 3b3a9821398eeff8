"""How long the paired cluster bootstrap takes at the size of a report: 10,000 resamples of 1,000 questions, 200 columns.

Drawing, resampled means and intervals are timed together, each question its own cluster, as there are no more clusters
than that. The limit is 1 s on 2 processor cores.

    python -m experiments.bench.bootstrap
"""

from __future__ import annotations

import os
import platform
import statistics
import time

import numpy as np

from rag_eval.score.bootstrap import bootstrap_means, cluster_weights, percentile_interval

N_RESAMPLES, N_QUESTIONS, N_COLUMNS = 10_000, 1_000, 200
N_REPEATS = 5
LIMIT_S = 1.0


def once_s() -> float:
    """Wall seconds of one bootstrap; the columns exist before."""
    columns = (np.random.default_rng(0).random((N_QUESTIONS, N_COLUMNS)) < 0.7).astype(np.float64)
    codes = np.arange(N_QUESTIONS)
    start = time.perf_counter()
    percentile_interval(bootstrap_means(columns, codes, cluster_weights(N_QUESTIONS, N_RESAMPLES, seed=0)))
    return time.perf_counter() - start


def main() -> None:
    once_s()  # the first one starts threads
    seconds = [once_s() for _ in range(N_REPEATS)]
    median_s = statistics.median(seconds)
    size = f"{N_RESAMPLES:,} resamples x {N_QUESTIONS:,} questions x {N_COLUMNS} columns"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{size}: median {median_s:.3f} s of {N_REPEATS} ({min(seconds):.3f} to {max(seconds):.3f})")
    print(f"limit of {LIMIT_S:g} s: {'met' if median_s <= LIMIT_S else 'NOT met'}")


if __name__ == "__main__":
    main()
