"""Ten million vectors with planted neighbours, to try an index on: no text, no model.

vectors.npy   float32 (rows, 64), unit rows, drawn uniformly on the sphere
queries.npy   float32 (1000, 64), unit rows: each a row of vectors.npy with a little noise
planted.npy   int64 (1000,): which row, the nearest by far
manifest.json seed, sizes, sha256 of each file; written last
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from rag_eval.errors import ConfigError
from synthworld.export import check_empty, write_manifest

N_ROWS, N_QUERIES, DIM = 10_000_000, 1_000, 64
MOST_ROWS = 1_000_000_000  # 256 GB
BLOCK = 250_000  # rows drawn at a time
NOISE = 0.05  # length of the noise on a query, whose own length is 1: its cosine to its row stays above .998


def write_vectors(seed: int, out: Path, rows: int = N_ROWS) -> dict[str, Any]:
    """Write vectors, queries and planted neighbours, block by block. The same seed gives the same vectors.

    Args:
        seed: seed of all numbers.
        out: empty or new folder.
        rows: number of vectors, at least N_QUERIES and at most MOST_ROWS.

    Returns:
        The manifest.

    Raises:
        ConfigError: if the folder is not empty, or the number of rows is out of range.
    """
    check_empty(out)
    if not N_QUERIES <= rows <= MOST_ROWS:
        raise ConfigError(f"rows={rows}: expected at least {N_QUERIES:,}, as many as there are queries, and at most {MOST_ROWS:,}.")
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.Generator(np.random.PCG64(seed))
    planted = np.sort(rng.choice(rows, N_QUERIES, replace=False))
    noise = NOISE * _unit(rng.standard_normal((N_QUERIES, DIM), dtype=np.float32))
    path = out / "vectors.npy"
    open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, DIM)).flush()
    originals = []
    for begin in range(0, rows, BLOCK):
        block = _unit(rng.standard_normal((min(BLOCK, rows - begin), DIM), dtype=np.float32))
        originals.append(block[planted[(planted >= begin) & (planted < begin + BLOCK)] - begin])
        open_memmap(path, mode="r+")[begin : begin + BLOCK] = block  # mapped anew, so that no more than a block stays in memory
    np.save(out / "queries.npy", _unit(np.concatenate(originals) + noise))
    np.save(out / "planted.npy", planted.astype(np.int64))
    files = {name: _described(out / name) for name in ("vectors.npy", "queries.npy", "planted.npy")}
    manifest = {"schema_version": 2, "preset": "retrieval_10m", "seed": seed, "files": files}
    write_manifest(out, manifest)
    return manifest


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"rows": len(np.load(path, mmap_mode="r")), "bytes": path.stat().st_size, "sha256": sha256}
