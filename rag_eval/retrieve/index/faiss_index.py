"""Nearest neighbours with FAISS: exact, inverted lists, product quantisation, graphs, by FAISS factory strings."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from rag_eval.errors import ConfigError, EnvironmentFault
from rag_eval.protocols import Numbers, Similarity, Vectors
from rag_eval.retrieve.index.copies import Copies
from rag_eval.retrieve.index.ties import Hits, in_order, search_with_ties
from rag_eval.source import code_sha

CORE_TYPE = "OPENBLAS_CORETYPE"
WIDE = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}  # CPU features required by the SkylakeX kernels


@contextmanager
def _widest_kernels() -> Iterator[None]:
    """Make the OpenBLAS inside FAISS use its AVX-512 kernels if the CPU supports them.

    OpenBLAS selects kernels from a list of CPU models of 2020 and uses generic ones for newer models. A user's setting is kept. Only
    libraries loaded inside the context are affected.

    Yields:
        Nothing.
    """
    if CORE_TYPE in os.environ or not _flags() >= WIDE:
        yield
        return
    os.environ[CORE_TYPE] = "SkylakeX"
    try:
        yield
    finally:
        del os.environ[CORE_TYPE]


def _flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def _refuse_two_builds() -> None:
    names = (distribution.metadata["Name"] for distribution in metadata.distributions())
    builds = sorted({name.lower().replace("_", "-") for name in names if name and name.lower().startswith("faiss")})
    if len(builds) > 1:
        together, listed = " and ".join(builds), " ".join(builds)
        raise EnvironmentFault(f"{together} overwrite each other's files. Run: pip uninstall -y {listed}; then install one of them.")


try:
    with _widest_kernels():
        import faiss
except ImportError as error:
    raise EnvironmentFault("the index needs FAISS, which is not installed. Run: pip install 'rag_eval[cpu]'") from error
_refuse_two_builds()

FILE = "index.faiss"
BATCH = 8  # number of queries from which a matrix product is faster than one scan each; FAISS's own threshold is 128,000 / dim
A_LIST = 39  # training vectors per inverted list that FAISS recommends
_RANKED: Mapping[str, frozenset[Similarity]] = {
    "inner_product": frozenset({"cosine", "dot"}),
    "l2": frozenset({"cosine", "euclidean"}),
}
MOST_ON_GPU = 2_048  # maximum number of neighbours of a GPU index


class Faiss:
    """Index by a FAISS factory string.

    "Flat" is exact: scores of identical rows may differ in the last bit, depending on the number of queries in a batch; equal scores
    are sorted by number, also across the cut-off. All other indexes are approximate, are trained on the first vectors added, and
    may return fewer results than requested. Graphs (HNSW, NSG) hold equal vectors once.
    """

    def __init__(
        self,
        factory: str,
        metric: Literal["inner_product", "l2"],
        settings: Mapping[str, PositiveInt],
        device: Literal["cpu", "cuda"],
    ) -> None:
        """Configure an empty index.

        Args:
            factory: such as "Flat", "HNSW32,Flat" or "IVF{nlist},PQ48np"; {nlist} is replaced by 4 * sqrt(n) for n first vectors, or
                fewer if these do not suffice for training.
            metric: score: the inner product, or the negative squared Euclidean distance. Higher is better in both; on unit vectors
                they rank alike.
            settings: search parameters by FAISS name: nprobe, efSearch, ...
            device: "cuda" needs the GPU build of FAISS and a GPU.

        Raises:
            ConfigError: if FAISS does not know the factory string or a setting, or there is no GPU.
            EnvironmentFault: if the build has no CUDA.
        """
        self._factory = factory.replace(" ", "")
        self._metric = metric
        self._settings = dict(settings)
        self._device = device
        _check(self._factory, self._metric, self._settings)
        if device == "cuda":
            _check_gpu()
        self.similarities: frozenset[Similarity] = _RANKED[metric]
        self.is_exact = self._factory == "Flat"
        self.is_kept = not self.is_exact and device == "cpu"
        self._is_graph = any(graph in self._factory for graph in ("HNSW", "NSG"))
        self.can_remove = device == "cpu" and (self.is_exact or re.fullmatch(r"IVF[^,]*,(Flat|PQ\w+|SQ\w+)", self._factory) is not None)
        self._index: Any = None  # created by the first add, which determines the dimension
        self._holds_once = self._is_graph and "IVF" not in self._factory  # with inverted lists the graph is one of centroids
        self._copies = Copies()

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        return {
            "index": "faiss",
            "version": faiss.__version__,
            "factory": self._factory,
            "metric": self._metric,
            "settings": self._settings,
            "device": self._device,
            "code": code_sha(__name__),
        }

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Add vectors under numbers. The first ones train an index that needs training.

        Args:
            numbers: int64 (n,).
            vectors: float32 (n, dim).

        Raises:
            ConfigError: if there are too few vectors for training.
        """
        if not len(numbers):
            return
        rows = np.ascontiguousarray(vectors)
        if self._holds_once:
            numbers, rows = self._copies.without_copies(numbers, rows)
            if not len(numbers):
                return
        if self._index is None:
            self._index = self._made(rows)
        with _threads(1 if self._is_graph else None):  # with several threads the links of a graph are not deterministic
            self._index.add_with_ids(rows, numbers)

    def remove(self, numbers: Numbers) -> None:
        """Remove vectors.

        Args:
            numbers: int64 (n,).

        Raises:
            ValueError: if the index does not support removal.
        """
        if not self.can_remove:
            raise ValueError(f"{self._factory} on {self._device} cannot take vectors out; clear it and fill it again")
        self._index.remove_ids(numbers)

    def clear(self) -> None:
        """Remove all vectors."""
        self._index, self._copies = None, Copies()

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Nearest vectors of each query.

        Args:
            queries: float32 (n_queries, dim).
            k: number of neighbours.

        Returns:
            Scores and numbers, both (n_queries, min(k, n_vectors)), best first, equal scores by number.

        Raises:
            ConfigError: if more than 2,048 neighbours are requested of a GPU index.
            ValueError: if the index is empty or a query is not finite.
        """
        index = self._index
        if index is None or index.ntotal == 0:
            raise ValueError("the index is empty: add vectors before searching")
        sign = 1 if self._metric == "inner_product" else -1
        asked = np.ascontiguousarray(queries)
        faiss.cvar.distance_compute_blas_threshold = BATCH * asked.shape[1]

        def nearest(width: int) -> Hits:
            if self._device == "cuda" and width > MOST_ON_GPU:
                raise ConfigError(f"a FAISS index on a GPU finds at most {MOST_ON_GPU:,} but {width:,} were asked for; use device=cpu.")
            scores, numbers = index.search(asked, width)
            return sign * scores, numbers

        if self.is_exact:
            return search_with_ties(nearest, k, index.ntotal)
        if not np.isfinite(asked).all():
            raise ValueError("expected finite queries, found one that is not")
        hits = nearest(min(k, index.ntotal))
        return self._copies.with_copies(*hits, min(k, len(self._copies))) if self._holds_once else in_order(*hits)

    def save(self, folder: Path) -> None:
        """Write the index into a folder."""
        faiss.write_index(self._index, str(folder / FILE))
        if self._holds_once:
            self._copies.save(folder)

    def load(self, folder: Path) -> None:
        """Read a saved index."""
        self._index = faiss.read_index(str(folder / FILE))
        if self._holds_once:
            self._copies.load(folder)
        self._set()

    def _made(self, rows: Vectors) -> Any:
        n_lists = max(1, min(round(4 * math.sqrt(len(rows))), len(rows) // A_LIST))
        factory = self._factory.replace("{nlist}", str(n_lists))
        try:
            index = _numbered(rows.shape[1], factory, self._metric)
            index.train(rows)
        except RuntimeError as fault:
            raise ConfigError(
                f"retriever.index.factory={self._factory} cannot be built from {len(rows):,} vectors of {rows.shape[1]} numbers "
                f"({_reason(fault)}). Use retriever/index=flat, or more documents."
            ) from fault
        if self._device == "cuda":
            index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        self._index = index
        self._set()
        return index

    def _set(self) -> None:
        for name, value in self._settings.items():
            faiss.ParameterSpace().set_index_parameter(self._index, name, value)


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    usual = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n or usual)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(usual)


def _numbered(dim: int, factory: str, metric: str) -> Any:
    """Index with external ids; inverted lists support them directly."""
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT if metric == "inner_product" else faiss.METRIC_L2)
    return index if isinstance(index, faiss.IndexIVF) else faiss.IndexIDMap2(index)


def _check(factory: str, metric: str, settings: Mapping[str, int]) -> None:
    """Check the factory string and the settings before anything is embedded.

    Args:
        factory: factory string.
        metric: metric name.
        settings: search parameters.

    Raises:
        ConfigError: if FAISS does not know the factory string or a setting.
    """  # noqa: DOC501 (its RuntimeError is caught here)
    width = 64 * 48  # divisible by common numbers of sub-quantisers
    try:
        if "IDMap" in factory:
            raise RuntimeError(": documents are numbered anyway")
        index = _numbered(width, factory.replace("{nlist}", "1"), metric)
    except RuntimeError as fault:
        reason = _reason(fault)
        raise ConfigError(f"retriever.index.factory={factory} is none that FAISS knows ({reason}); try Flat or HNSW32,Flat.") from fault
    for name, value in settings.items():
        try:
            faiss.ParameterSpace().set_index_parameter(index, name, value)
        except RuntimeError as fault:
            raise ConfigError(f"retriever.index.settings: {factory} has no {name}, or not with {value} ({_reason(fault)}).") from fault


def _reason(fault: RuntimeError) -> str:
    """Message of a FAISS error without the source location."""
    return str(fault).strip().splitlines()[-1].rpartition(": ")[2][:120]


def _check_gpu() -> None:
    if not hasattr(faiss, "StandardGpuResources"):
        raise EnvironmentFault("device=cuda needs FAISS for GPUs. Run: pip uninstall -y faiss-cpu; then pip install 'rag_eval[gpu]'")
    if faiss.get_num_gpus() == 0:
        raise ConfigError("no CUDA device was found; use retriever.index.device=cpu.")
