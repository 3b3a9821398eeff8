"""Exact indexes agree with plain numpy and break ties by number; every index keeps what it holds through any change."""

from __future__ import annotations

import importlib
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psycopg
import pytest
import torch

from rag_eval.errors import ConfigError, EnvironmentFault
from rag_eval.protocols import Index, Vectors
from rag_eval.retrieve.index.annoy_index import Annoy
from rag_eval.retrieve.index.copies import Copies
from rag_eval.retrieve.index.exact import Exact
from rag_eval.retrieve.index.faiss_index import Faiss
from rag_eval.retrieve.index.pgvector_index import Postgres
from rag_eval.retrieve.index.ties import MARGIN
from tests.retrieve.indexes import flat

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
EXACT: dict[str, Callable[[], Index]] = {
    "inner_product": flat,
    "l2": lambda: flat("l2"),
    "torch_blocks": lambda: Exact("cpu", block_rows=7),
    "torch_whole": lambda: Exact("cpu", block_rows=10_000),
    "postgres": lambda: Postgres("", "exact"),
}
APPROXIMATE: dict[str, Callable[[], Index]] = {
    "ivf": lambda: Faiss("IVF{nlist},Flat", "inner_product", {"nprobe": 16}, "cpu"),
    "ivf_pq": lambda: Faiss("IVF{nlist},PQ16np", "inner_product", {"nprobe": 16}, "cpu"),
    "hnsw": lambda: Faiss("HNSW32,Flat", "inner_product", {"efSearch": 64}, "cpu"),
    "annoy": lambda: Annoy(trees=50, search_nodes=5_000, seed=0),
    "postgres_hnsw": lambda: Postgres("", "hnsw"),
}
EVERY = EXACT | APPROXIMATE
each_exact = pytest.mark.parametrize("make", EXACT.values(), ids=EXACT)
each_index = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)


def unit(n: int, dim: int = 32, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def filled(index: Index, vectors: Vectors) -> Index:
    index.add(np.arange(len(vectors)), vectors)
    return index


def nearest(index: Index, queries: Vectors) -> list[int]:
    return index.search(queries, 1)[1][:, 0].tolist()


@pytest.fixture(autouse=True)
def server(request: pytest.FixtureRequest) -> None:
    """A PostgreSQL server of this session where a test asks for one."""
    if "postgres" in request.node.name:
        request.getfixturevalue("postgres")


@each_exact
def test_the_best_rows_are_those_of_a_full_sort(make: Callable[[], Index]) -> None:
    rows, queries = unit(300), unit(20, seed=1)
    _, found = filled(make(), rows).search(queries, 10)
    np.testing.assert_array_equal(found, np.argsort(-(queries @ rows.T), axis=1)[:, :10])
    assert found.dtype == np.int64


@each_index
def test_vectors_are_found_under_their_numbers_over_several_adds(make: Callable[[], Index]) -> None:
    rows, index = unit(300), make()
    for first, last in ((0, 260), (260, 263), (263, 300)):
        index.add(np.arange(first, last) * 10, rows[first:last])
    assert nearest(index, rows) == list(range(0, 3_000, 10))


@each_index
def test_what_was_saved_is_found_again(make: Callable[[], Index], tmp_path: Path) -> None:
    rows = unit(300)
    filled(make(), rows).save(tmp_path)
    other = filled(make(), unit(260, seed=5))
    other.load(tmp_path)
    assert nearest(other, rows) == list(range(300))


@each_index
def test_a_vector_taken_out_is_found_no_more_and_can_come_back_as_another(make: Callable[[], Index]) -> None:
    rows = unit(300)
    index = filled(make(), rows)
    if not index.can_remove:
        with pytest.raises(ValueError, match="cannot take vectors out; clear it and fill it again"):
            index.remove(np.array([7]))
        return
    index.remove(np.array([7, 299]))
    stays = np.delete(np.arange(300), [7, 299])
    assert nearest(index, rows[stays]) == stays.tolist()
    assert not {7, 299} & set(index.search(rows[[7, 299]], 20)[1].ravel().tolist())
    index.add(np.array([7]), rows[299:])
    assert nearest(index, rows[299:]) == [7]


@each_index
def test_a_cleared_index_holds_what_is_added_next(make: Callable[[], Index]) -> None:
    index = filled(make(), unit(300))
    index.clear()
    with pytest.raises(ValueError, match="empty"):
        index.search(unit(1), 1)
    rows = unit(280, seed=3)
    assert nearest(filled(index, rows), rows) == list(range(280))


@each_index
def test_an_index_is_known_by_what_decides_its_finds(make: Callable[[], Index]) -> None:
    assert make().identity() == make().identity()
    assert len({json.dumps(one().identity(), sort_keys=True) for one in EVERY.values()}) == len(EVERY)


@each_exact
def test_a_k_above_the_rows_returns_every_row_once_and_never_minus_one(make: Callable[[], Index]) -> None:
    scores, found = filled(make(), unit(5)).search(unit(3, seed=1), 40)
    assert scores.shape == found.shape == (3, 5)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(5), (3, 1)))


@pytest.mark.parametrize("factory", ["IVF{nlist},PQ16np,RFlat", "SQ8", "PCA16,Flat"])
def test_any_factory_string_makes_an_index_that_finds_its_own_vectors(factory: str) -> None:
    rows = unit(400)
    index = filled(Faiss(factory, "inner_product", {}, "cpu"), rows)
    assert np.mean(np.array(nearest(index, rows)) == np.arange(400)) > 0.95
    assert not index.can_remove


def test_what_an_approximate_index_does_not_find_comes_last_as_minus_one() -> None:
    index = filled(Faiss("IVF8,Flat", "l2", {"nprobe": 1}, "cpu"), unit(400))
    scores, found = index.search(unit(3, seed=1), 400)
    assert (found == -1).any()
    np.testing.assert_array_equal(found == -1, np.isneginf(scores))
    assert (np.diff(scores[np.isfinite(scores).all(axis=1)], axis=1) <= 0).all()


@each_exact
def test_ties_come_by_row_number_also_where_they_cross_the_cut_off(make: Callable[[], Index]) -> None:
    n_equal = 5 * MARGIN
    rows = np.array([*[[0.0, 1.0]] * n_equal, [1.0, 0.0]], dtype=np.float32)
    _, found = filled(make(), rows).search(np.array([[1, 0], [0, 1]], dtype=np.float32), 4)
    np.testing.assert_array_equal(found, [[n_equal, 0, 1, 2], [0, 1, 2, 3]])


@each_index
def test_a_query_that_is_not_finite_is_refused(make: Callable[[], Index]) -> None:
    with pytest.raises(ValueError, match="finite"):
        filled(make(), unit(300)).search(np.full((1, 32), np.nan, dtype=np.float32), 2)


@each_index
def test_the_index_keeps_its_rows_when_the_caller_changes_its_own(make: Callable[[], Index]) -> None:
    rows = unit(300)
    index = filled(make(), rows)
    asked = rows.copy()
    rows[:] = 0
    assert nearest(index, asked) == list(range(300))


def test_torch_and_faiss_find_the_same_with_the_same_scores() -> None:
    rows, queries = unit(500), unit(40, seed=1)
    faiss, exact = (filled(index, rows).search(queries, 20) for index in (flat(), Exact("auto", 64)))
    np.testing.assert_array_equal(faiss[1], exact[1])
    np.testing.assert_allclose(faiss[0], exact[0], atol=1e-6)


def test_l2_scores_are_negative_squared_distances() -> None:
    scores, found = filled(flat("l2"), np.array([[0, 0], [3, 4]], dtype=np.float32)).search(np.zeros((1, 2), np.float32), 2)
    assert scores.tolist() == [[0, -25]]
    assert found.tolist() == [[0, 1]]


def test_l2_ranks_unit_vectors_as_the_inner_product_does() -> None:
    rows, queries = unit(300), unit(20, seed=1)
    l2, inner = (filled(index, rows).search(queries, 10) for index in (flat("l2"), flat()))
    np.testing.assert_array_equal(l2[1], inner[1])
    np.testing.assert_allclose(l2[0], 2 * inner[0] - 2, atol=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_demanding_cuda_where_there_is_none_says_what_to_use() -> None:
    with pytest.raises(ConfigError, match="no CUDA device was found; use device=cpu"):
        Exact("cuda", block_rows=10)


@gpu
@pytest.mark.gpu
def test_cuda_finds_what_the_cpu_finds() -> None:
    rows, queries = unit(5_000, dim=384), unit(200, dim=384, seed=1)
    cpu, cuda = (filled(Exact(device, 512), rows).search(queries, 10) for device in ("cpu", "cuda"))
    np.testing.assert_array_equal(cpu[1], cuda[1])
    np.testing.assert_allclose(cpu[0], cuda[0], atol=1e-5)


def test_two_builds_of_faiss_are_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "faiss_gpu-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: faiss-gpu\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "rag_eval.retrieve.index.faiss_index")
    with pytest.raises(EnvironmentFault, match="pip uninstall -y faiss-cpu faiss-gpu;"):
        importlib.import_module("rag_eval.retrieve.index.faiss_index")


def test_a_missing_faiss_is_reported_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rag_eval.retrieve.index.faiss_index")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'rag_eval\[cpu\]'"):
        importlib.import_module("rag_eval.retrieve.index.faiss_index")


@pytest.mark.parametrize("n_queries", [1, 7, 8, 33, 400])
def test_batches_find_what_single_queries_find(n_queries: int) -> None:
    """FAISS compares small batches by scans and large ones by a matrix product; where it changes over must not show."""
    rows, queries = unit(2_000, dim=384), unit(n_queries, dim=384, seed=1)
    index = filled(flat(), rows)
    scores, found = index.search(queries, 10)
    alone = [index.search(query[None], 10) for query in queries]
    np.testing.assert_array_equal(found, np.concatenate([numbers for _, numbers in alone]))
    np.testing.assert_allclose(scores, np.concatenate([one for one, _ in alone]), atol=1e-6)


@pytest.mark.parametrize(
    ("factory", "settings", "message"),
    [
        ("Flatt", {}, "retriever.index.factory=Flatt is none that FAISS knows"),
        ("IDMap,Flat", {}, "retriever.index.factory=IDMap,Flat is none that FAISS knows .documents are numbered anyway"),
        ("HNSW32,Flat", {"nprobe": 4}, "retriever.index.settings: HNSW32,Flat has no nprobe"),
    ],
)
def test_what_faiss_does_not_know_is_refused_before_anything_is_embedded(factory: str, settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Faiss(factory, "inner_product", settings, "cpu")


@pytest.mark.parametrize(("factory", "n", "dim"), [("IVF{nlist},PQ16np", 100, 32), ("IVF{nlist},PQ48np", 300, 32)])
def test_an_index_that_these_vectors_cannot_make_is_refused_with_another(factory: str, n: int, dim: int) -> None:
    with pytest.raises(ConfigError, match=f"cannot be built from {n} vectors of {dim} numbers .*retriever/index=flat"):
        filled(Faiss(factory, "inner_product", {}, "cpu"), unit(n, dim))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_the_cpu_build_of_faiss_says_how_to_get_the_other() -> None:
    with pytest.raises(EnvironmentFault, match="pip uninstall -y faiss-cpu"):
        Faiss("Flat", "inner_product", {}, "cuda")


@pytest.mark.parametrize("n_removed", [45, 2_500])
def test_the_graph_of_postgres_finds_k_after_the_nearest_were_removed(n_removed: int) -> None:
    rows, query = unit(3_000), unit(1, seed=9)
    index = filled(Postgres("", "hnsw"), rows)
    order = np.argsort(-(rows @ query[0]))
    index.remove(order[:n_removed])
    _, found = index.search(query, 10)
    assert set(found[0].tolist()) <= set(order[n_removed:].tolist())
    assert len(set(found[0].tolist())) == 10


@pytest.mark.parametrize("k", [300, 2_000])
def test_the_graph_of_postgres_finds_a_k_above_what_it_keeps_of_candidates(k: int) -> None:
    scores, found = filled(Postgres("", "hnsw"), unit(2_500)).search(unit(1, seed=9), k)
    assert len(set(found[0].tolist()) - {-1}) == k
    assert (np.diff(scores[0]) <= 0).all()


@pytest.mark.usefixtures("postgres")
def test_a_graph_in_an_older_pgvector_is_refused_with_the_version_it_needs() -> None:
    with psycopg.connect("", autocommit=True) as session:
        session.execute("CREATE EXTENSION IF NOT EXISTS vector")
        (version,) = session.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone() or ("",)
        try:
            session.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
            with pytest.raises(EnvironmentFault, match=r"has pgvector 0\.7\.4, .*search=hnsw needs 0\.8.*search=exact"):
                filled(Postgres("", "hnsw"), unit(3))
            assert nearest(filled(Postgres("", "exact"), unit(3)), unit(3)) == [0, 1, 2]
        finally:
            session.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", (version,))


def test_a_password_in_the_uri_is_refused() -> None:
    with pytest.raises(ConfigError, match="holds a password"):
        Postgres("postgresql://me:hunter2@localhost/rag", "exact")


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(EnvironmentFault, match=r"postgresql://127\.0\.0\.1:1/x is not PostgreSQL with pgvector"):
        filled(Postgres("postgresql://127.0.0.1:1/x", "exact"), unit(3))


def copied(n: int) -> Vectors:
    """The first of 2,000 vectors, n times more, before all of them."""
    rows = unit(2_000, dim=64)
    return np.vstack([np.repeat(rows[:1], n, axis=0), rows])


def test_copies_of_a_passage_hide_nothing_from_a_graph() -> None:
    rows, queries = copied(1_000), unit(100, dim=64, seed=1)
    tenth = np.sort(queries @ rows.T, axis=1)[:, -10]
    found, _ = filled(Faiss("HNSW32,Flat", "inner_product", {"efSearch": 64}, "cpu"), rows).search(queries, 10)
    assert (found >= tenth[:, None] - 1e-6).mean() >= 0.95


@pytest.mark.parametrize("is_loaded", [False, True], ids=["filled", "loaded"])
def test_a_graph_finds_every_copy_in_order_of_number_also_of_later_ones(is_loaded: bool, tmp_path: Path) -> None:
    rows = unit(50)
    index: Index = filled(Faiss("HNSW32,Flat", "l2", {"efSearch": 64}, "cpu"), np.vstack([rows, rows[:1], rows[:1]]))
    if is_loaded:
        index.save(tmp_path)
        index = Faiss("HNSW32,Flat", "l2", {"efSearch": 64}, "cpu")
        index.load(tmp_path)
    index.add(np.array([52, 53]), np.vstack([rows[:1], unit(1, seed=5)]))
    scores, found = index.search(rows[:1], 6)
    assert found[0, :4].tolist() == [0, 50, 51, 52]
    assert scores[0, :4].tolist() == [0.0] * 4
    assert nearest(index, unit(1, seed=5)) == [53]
    scores, found = index.search(rows[:1], 100)
    assert sorted(found[0].tolist()) == list(range(54))


def test_an_index_that_finds_its_lists_by_a_graph_loses_what_is_taken_out_and_keeps_its_copies() -> None:
    rows = unit(200)
    index = filled(Faiss("IVF2_HNSW32,Flat", "l2", {"nprobe": 2}, "cpu"), np.vstack([rows, rows[:2]]))
    assert index.can_remove
    index.remove(np.array([0, 201]))  # a vector with a copy, and a copy
    assert nearest(index, rows[:2]) == [200, 1]
    assert not {0, 201} & set(index.search(rows[:2], 200)[1].ravel().tolist())


def test_many_copies_take_no_memory_for_results_that_are_not_asked_for() -> None:
    copies, rows = Copies(), np.repeat(unit(1), 20_000, axis=0)
    copies.without_copies(np.arange(20_000)[::-1], rows)
    scores, numbers = np.zeros((500, 1), dtype=np.float32), np.full((500, 1), 19_999)
    tracemalloc.start()
    _, found = copies.with_copies(scores, numbers, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.tolist() == [[0, 1, 2]] * 500
    assert peak < 5_000_000  # bytes; 10,000,000 results would take 120,000,000


def test_a_graph_of_copies_alone_is_searched() -> None:
    index = filled(Faiss("HNSW32,Flat", "inner_product", {}, "cpu"), np.repeat(unit(1), 30, axis=0))
    assert index.search(unit(1), 3)[1].tolist() == [[0, 1, 2]]
    index.clear()
    assert nearest(filled(index, unit(3)), unit(3)) == [0, 1, 2]
