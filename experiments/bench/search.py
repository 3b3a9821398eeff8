"""How fast exact search is: ours beside FAISS as it comes and beside torch, on the same vectors, in alternation.

    python -m experiments.bench.search                    # 100,000 vectors of 384 numbers
    python -m experiments.bench.search rows=20000 pairs=5

FAISS as it comes runs in a process of its own, because ours changes how the library is loaded. Each pair times the same
queries in both, one after the other; a ratio is theirs by ours, so that more than 1 is faster than FAISS. Ids must be
equal. Writes reports/bench/search.md and .json.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from experiments.options import whole
from experiments.study import Found, Report, Run, Study
from rag_eval.protocols import Vectors
from rag_eval.report.table import Table

BATCHES = (1, 8, 32, 128, 256, 1_024)
TARGETS = {32: 4.0, 128: 4.0, 256: 4.0}  # how many times as fast as FAISS as it comes
DIM, K = 384, 10
PAUSE_S = 0.2  # before each turn: threads that wait for more work keep their core for a while
SERVE = "import sys; from experiments.bench.search import serve; serve(int(sys.argv[1]))"


@dataclass(frozen=True)
class Options:
    """How many vectors, how often each batch is timed, and where the report is."""

    rows: Annotated[int, whole(K)] = 100_000  # at least the neighbours that are searched
    pairs: Annotated[int, whole(1)] = 15
    out: Path = Path("reports/bench")


def runs(options: Options) -> list[Run[str, list[dict[str, Any]]]]:
    """All batch sizes in one go, beside one other process."""
    return [Run("all batch sizes", lambda _: measure(options.rows, options.pairs))]


def vectors(n: int, seed: int) -> Vectors:
    """float32 (n, 384), unit rows, in clumps as texts of a few subjects are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((200, DIM))
    rows = (centres[rng.integers(0, 200, n)] + rng.standard_normal((n, DIM))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def serve(n_rows: int) -> None:
    """FAISS as it comes: answers each line (a number of queries) with seconds and a sum over the ids found."""
    import faiss

    index = faiss.IndexFlatIP(DIM)
    index.add(vectors(n_rows, 0))
    queries = vectors(max(BATCHES), 1)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = queries[: int(line)].copy()
        begun = time.perf_counter()
        _, found = index.search(asked, K)
        print(json.dumps([time.perf_counter() - begun, found.tolist()]), flush=True)


def measure(n_rows: int, n_pairs: int) -> list[dict[str, Any]]:
    """Search the same queries with our index, FAISS in another process, and torch, in alternation.

    Args:
        n_rows: number of vectors.
        n_pairs: number of repetitions for each batch size, after one that warms up.

    Returns:
        A row for each batch size: median milliseconds of each, ratios with their spread, and the share of equal results.

    Raises:
        RuntimeError: if the other process has no pipes.
    """
    from rag_eval.retrieve.index.exact import Exact
    from rag_eval.retrieve.index.faiss_index import Faiss

    rows, queries = vectors(n_rows, 0), vectors(max(BATCHES), 1)
    ours = Faiss("Flat", "inner_product", {}, "cpu")
    torch_index = Exact("cpu", 16_384)
    for index in (ours, torch_index):
        index.add(np.arange(n_rows), rows)
    peer = subprocess.Popen([sys.executable, "-c", SERVE, str(n_rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if peer.stdin is None or peer.stdout is None:
        raise RuntimeError("the other process has no pipes")
    try:
        peer.stdout.readline()
        found = []
        for n in BATCHES:
            asked, times = queries[:n].copy(), []
            for at in range(n_pairs + 1):  # the first warms up
                time.sleep(PAUSE_S)
                peer.stdin.write(f"{n}\n")
                peer.stdin.flush()
                theirs_s, theirs = json.loads(peer.stdout.readline())
                time.sleep(PAUSE_S)
                ours_s, numbers = _timed(ours, asked)
                time.sleep(PAUSE_S)
                torch_s, _ = _timed(torch_index, asked)
                same = float((np.array(theirs) == numbers).mean())
                times += [(theirs_s, ours_s, torch_s, same)] if at else []
            found.append(_row(n, times))
        return found
    finally:
        peer.terminate()
        peer.wait()


def _timed(index: Any, queries: Vectors) -> tuple[float, Any]:
    begun = time.perf_counter()
    _, numbers = index.search(queries, K)
    return time.perf_counter() - begun, numbers


def _row(n: int, times: Sequence[tuple[float, float, float, float]]) -> dict[str, Any]:
    ratios = [theirs / ours for theirs, ours, _, _ in times]
    return {
        "n_queries": n,
        "faiss_ms": 1e3 * statistics.median(one[0] for one in times),
        "ours_ms": 1e3 * statistics.median(one[1] for one in times),
        "torch_ms": 1e3 * statistics.median(one[2] for one in times),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "same_ids": min(one[3] for one in times),
        "target": TARGETS.get(n),
    }


def report(options: Options, found: Found[str, list[dict[str, Any]]]) -> Report:
    """A line for each batch size."""
    (sizes,) = found.values()
    reading = (
        f"{options.rows:,} vectors of {DIM}, best {K}; medians of {options.pairs} alternating pairs. "
        "A ratio above 1: ours is faster than FAISS as it comes; in brackets the smallest and the largest."
    )
    header = ("queries at once", "FAISS, ms", "ours, ms", "torch, ms", "ratio", "same ids", "target", "reached")
    core = f"OPENBLAS_CORETYPE: {os.environ.get('OPENBLAS_CORETYPE', 'unset')}"
    more = {"rows": options.rows, "pairs": options.pairs, "found": sizes}
    return Report([Table("Milliseconds a search", reading, header, tuple(map(_cells, sizes)))], [core], more)


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    times = (f"{one[f'{name}_ms']:.1f}" for name in ("faiss", "ours", "torch"))
    ratio = f"{one['ratio']:.2f} [{one['ratio_low']:.2f}, {one['ratio_high']:.2f}]"
    target = "" if one["target"] is None else f"{one['target']:g}"
    reached = "" if one["target"] is None else "met" if one["ratio"] >= one["target"] else "NOT met"
    return f"{one['n_queries']:,}", *times, ratio, f"{one['same_ids']:.4f}", target, reached


STUDY = Study("search", "Exact search beside FAISS as it comes", "experiments.bench.search", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
