#!/usr/bin/env bash
# Passages that occur many times in a corpus (a licence, a cookie notice) give equal vectors, and an HNSW index then loses other passages:
# with the same 2,000 distinct vectors and the same queries, recall at 10 falls from 0.99 to below 0.85 beside 1,000 copies of one vector
# that were added first, and to about a half beside 4,000, although the copies are nearest to almost no query. A build that keeps one copy
# of each vector has the first recall. A recall measured on a corpus without its duplicates says nothing about the corpus with them.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet faiss-cpu==1.15.1 numpy==2.4.6
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" - <<'PY'
import faiss
import numpy as np

faiss.omp_set_num_threads(1)
rng = np.random.default_rng(0)
vectors, queries = (rng.standard_normal((n, 64)).astype("float32") for n in (2000, 100))
faiss.normalize_L2(vectors)
faiss.normalize_L2(queries)


def recall(corpus):
    """Share of the 10 nearest that HNSW finds, a vector as near as the tenth counted as found."""
    exact, graph = faiss.IndexFlatIP(64), faiss.IndexHNSWFlat(64, 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = 200, 64
    exact.add(corpus)
    graph.add(corpus)
    tenth = exact.search(queries, 10)[0][:, -1:]
    return float((graph.search(queries, 10)[0] >= tenth - 1e-6).mean())


seen = {n: recall(np.vstack([np.repeat(vectors[:1], n, axis=0), vectors])) for n in (0, 10, 1000, 4000)}
print("faiss", faiss.__version__, "HNSW, M=32, efConstruction=200, efSearch=64, 2,000 distinct vectors of 64 dimensions")
for n, found in seen.items():
    print(f"{n} further copies of one of them: recall at 10 {found:.3f}")
assert seen[0] > 0.98 and seen[10] > 0.98, seen
assert seen[1000] < 0.85, seen
assert seen[4000] < 0.6, seen
PY
