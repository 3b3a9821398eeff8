"""Flat and Exact are exact, agree with each other and with plain numpy, and break ties by row."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rag_eval.errors import ConfigError, EnvironmentFault
from rag_eval.parts import Index, Vectors
from rag_eval.retrieve.index.exact import Exact
from rag_eval.retrieve.index.flat import Flat
from rag_eval.retrieve.index.ties import MARGIN

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
MAKERS: list[Callable[[], Index]] = [
    lambda: Flat("inner_product"),
    lambda: Flat("l2"),
    lambda: Exact("cpu", block_rows=7),
    lambda: Exact("cpu", block_rows=10_000),
]
each_index = pytest.mark.parametrize("make", MAKERS, ids=["inner_product", "l2", "torch_blocks", "torch_whole"])


def unit(n: int, dim: int = 32, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def filled(index: Index, vectors: Vectors) -> Index:
    index.add(vectors)
    return index


@each_index
def test_the_best_rows_are_those_of_a_full_sort(make: Callable[[], Index]) -> None:
    rows, queries = unit(300), unit(20, seed=1)
    _, found = filled(make(), rows).search(queries, 10)
    np.testing.assert_array_equal(found, np.argsort(-(queries @ rows.T), axis=1)[:, :10])
    assert found.dtype == np.int64


@each_index
def test_rows_are_numbered_in_order_of_arrival_over_several_adds(make: Callable[[], Index]) -> None:
    rows, index = unit(50), make()
    for part in (rows[:3], rows[3:20], rows[20:]):
        index.add(part)
    np.testing.assert_array_equal(index.search(rows, 1)[1][:, 0], np.arange(50))


@each_index
def test_a_k_above_the_rows_returns_every_row_once_and_never_minus_one(make: Callable[[], Index]) -> None:
    scores, found = filled(make(), unit(5)).search(unit(3, seed=1), 40)
    assert scores.shape == found.shape == (3, 5)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(5), (3, 1)))


@each_index
def test_ties_come_by_row_number_also_where_they_cross_the_cut_off(make: Callable[[], Index]) -> None:
    n_equal = 5 * MARGIN
    rows = np.array([*[[0.0, 1.0]] * n_equal, [1.0, 0.0]], dtype=np.float32)
    _, found = filled(make(), rows).search(np.array([[1, 0], [0, 1]], dtype=np.float32), 4)
    np.testing.assert_array_equal(found, [[n_equal, 0, 1, 2], [0, 1, 2, 3]])


@each_index
def test_a_query_that_is_not_finite_is_refused(make: Callable[[], Index]) -> None:
    with pytest.raises(ValueError, match="finite"):
        filled(make(), unit(5, dim=2)).search(np.array([[np.nan, 1]], dtype=np.float32), 2)


@each_index
def test_an_empty_index_cannot_be_searched_and_copies_to_an_empty_one(make: Callable[[], Index]) -> None:
    index = make()
    empty = copy.deepcopy(index)
    index.add(unit(3))
    with pytest.raises(ValueError, match="empty"):
        empty.search(unit(1), 1)


@each_index
def test_the_index_keeps_its_rows_when_the_caller_changes_its_own(make: Callable[[], Index]) -> None:
    rows = unit(4)
    index = filled(make(), rows)
    asked = rows.copy()
    rows[:] = 0
    np.testing.assert_array_equal(index.search(asked, 1)[1][:, 0], np.arange(4))


def test_torch_and_faiss_find_the_same_with_the_same_scores() -> None:
    rows, queries = unit(500), unit(40, seed=1)
    flat, exact = (filled(index, rows).search(queries, 20) for index in (Flat("inner_product"), Exact("auto", 64)))
    np.testing.assert_array_equal(flat[1], exact[1])
    np.testing.assert_allclose(flat[0], exact[0], atol=1e-6)


def test_l2_scores_are_negative_squared_distances() -> None:
    scores, found = filled(Flat("l2"), np.array([[0, 0], [3, 4]], dtype=np.float32)).search(np.zeros((1, 2), np.float32), 2)
    assert scores.tolist() == [[0, -25]]
    assert found.tolist() == [[0, 1]]


def test_l2_ranks_unit_vectors_as_the_inner_product_does() -> None:
    rows, queries = unit(300), unit(20, seed=1)
    l2, inner = (filled(Flat(metric), rows).search(queries, 10) for metric in ("l2", "inner_product"))
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
    with pytest.raises(EnvironmentFault, match="pip uninstall -y faiss-cpu faiss-gpu;"):
        Flat("inner_product")


def test_a_missing_faiss_is_reported_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rag_eval.retrieve.index.flat")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'rag_eval\[cpu\]'"):
        importlib.import_module("rag_eval.retrieve.index.flat")
