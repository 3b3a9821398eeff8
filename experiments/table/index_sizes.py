"""Indexes of growing size: what they find, how long a search takes, what they weigh and how long they are built.

The first vectors of an index are those of the documents of the first world, as text embedded; all others are random unit vectors, which
no question is about. Searches are the test questions', one at a time. Recall is relative to the exact index. Vectors of more than `DIM`
numbers are projected on `DIM` random directions, which keeps their angles approximately (Johnson and Lindenstrauss 1984).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from experiments.effects.arms import ARMS, Plan, settings_of
from experiments.study import Run
from experiments.table.kept import kept
from experiments.table.live import dense
from rag_eval.config.build import build
from rag_eval.config.compose import composed
from rag_eval.latency.schedule import interleaved
from rag_eval.preparation import prepared
from rag_eval.protocols import Index, Vectors
from rag_eval.retrieve.encoders.vectors import in_memory
from rag_eval.retrieve.text_of import question_text

DIM, K = 96, 10  # a quarter of the numbers of MiniLM, with which a graph of a million vectors is built in minutes on two cores
SEED = 0  # of the random vectors
N_QUERIES, N_WARM_UP, N_BLOCKS = 160, 20, 10
N_APPENDED = 20  # vectors added one by one to the filled index
N_BUILDS = 5  # times that the index of the world's documents is built
INDEXES = ("flat", "hnsw", "ivf")  # of conf/retriever/index; the first is exact
BUILDING = "index building"


@dataclass(frozen=True)
class Measured:
    """One index at one size."""

    build_s: float  # adding all vectors, training included
    stored_bytes: int  # of the saved index, which is read into memory as a whole
    append_s: tuple[float, ...]  # adding one more vector
    search_s: tuple[float, ...]  # by question
    recall: tuple[float, ...]  # share of the exact index's best K that it finds, by question


@dataclass(frozen=True)
class Sized:
    """All indexes at one size."""

    n_vectors: int
    n_real: int  # of which of documents
    dim: int
    blocks: tuple[int, ...]  # of each question, in the order of `search_s`
    clusters: tuple[str, ...]  # the entity that each question is about
    indexes: Mapping[str, Measured]


@dataclass(frozen=True)
class Building:
    """The index of the documents of the first world, embedding included, built again and again without a cache."""

    seconds: tuple[float, ...]
    n_documents: int


def name_of(n_vectors: int) -> str:
    """What the measurement of a size is called."""
    return f"{n_vectors:,} vectors"


def sizes(plan: Plan, n_vectors: Sequence[int]) -> list[Run[Any, Any]]:
    """A measurement of each size."""
    return [_size(plan, n) for n in n_vectors]


def _size(plan: Plan, n_vectors: int) -> Run[Any, Any]:
    settings = settings_of(plan, plan.seeds[0], ARMS["rag"][0])
    decides = [plan.embedder, plan.preset, str(plan.seeds[0]), str(n_vectors)]
    name = name_of(n_vectors)
    return Run(name, lambda _: kept(plan.output_dir, name, Sized, decides, __file__, lambda: sized(settings, n_vectors)))


def building(plan: Plan) -> Run[Any, Any]:
    """How long the index of the first world takes."""
    settings = settings_of(plan, plan.seeds[0], ARMS["rag"][0])
    decides = [plan.embedder, plan.preset, str(plan.seeds[0]), *plan.more]
    return Run(BUILDING, lambda _: kept(plan.output_dir, BUILDING, Building, decides, __file__, lambda: built(settings)))


def built(settings: Sequence[str]) -> Building:
    """Embed and index the documents of a run several times, with the model loaded and no vectors cached."""
    spec, dataset, _ = prepared(composed(settings))
    embedder = build(spec.retriever.get("embedder"))
    embedder.learn(dataset.documents)
    embedder.embed_questions([question_text(dataset.test[0])])  # loads the model
    seconds = []
    for _ in range(N_BUILDS):
        with tempfile.TemporaryDirectory() as cache:
            retriever = dense(spec, embedder, build(spec.retriever.get("index")), Path(cache))
            begun = time.perf_counter()
            retriever.add(dataset.documents)
            seconds.append(time.perf_counter() - begun)
    return Building(tuple(seconds), len(dataset.documents))


def sized(settings: Sequence[str], n_vectors: int) -> Sized:
    """All indexes with so many vectors.

    Args:
        settings: of a run that searches.
        n_vectors: how many; with fewer than the run has documents, only the first of these.

    Returns:
        What was measured.
    """
    spec, dataset, _ = prepared(composed(settings))
    embedder = build(spec.retriever.get("embedder"))
    embedder.learn(dataset.documents)
    asked = dataset.test[:N_QUERIES]
    real = narrowed(embedder.embed_documents(dataset.documents, in_memory))
    queries = narrowed(embedder.embed_questions([question_text(one) for one in asked]))
    rows = np.concatenate([real[:n_vectors], random_rows(max(0, n_vectors - len(real)), real.shape[1], SEED)])
    indexes = {name: build(_index_part(name)) for name in INDEXES}
    build_s = {name: _added(index, np.arange(n_vectors), rows) for name, index in indexes.items()}
    turns = interleaved(list(indexes), len(asked), N_BLOCKS, SEED)
    search_s: dict[str, list[float]] = {name: [] for name in indexes}
    found: dict[str, list[set[int]]] = {name: [] for name in indexes}
    for index in indexes.values():
        for query in queries[:N_WARM_UP]:
            index.search(query[None], K)
    for turn in turns:
        begun = time.perf_counter()
        _, numbers = indexes[turn.arm].search(queries[turn.question][None], K)
        search_s[turn.arm].append(time.perf_counter() - begun)
        found[turn.arm].append({number for number in numbers[0].tolist() if number >= 0})
    exact = found[INDEXES[0]]
    more = random_rows(N_APPENDED, rows.shape[1], SEED + 1)
    return Sized(
        n_vectors,
        min(len(real), n_vectors),
        rows.shape[1],
        tuple(block for (block, _), _ in groupby((turn.block, turn.question) for turn in turns)),
        tuple(one.cluster for one in asked),
        {
            name: Measured(
                build_s[name],
                _stored_bytes(index),
                tuple(_added(index, np.array([n_vectors + at]), more[at : at + 1]) for at in range(N_APPENDED)),
                tuple(search_s[name]),
                tuple(len(one & best) / len(best) for one, best in zip(found[name], exact, strict=True)),
            )
            for name, index in indexes.items()
        },
    )


def narrowed(vectors: Vectors) -> Vectors:
    """Unit rows of at most `DIM` numbers: vectors as they are, or projected on random directions."""
    if vectors.shape[1] > DIM:
        vectors = (vectors @ np.random.default_rng(SEED).standard_normal((vectors.shape[1], DIM))).astype(np.float32)
    rows: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


def random_rows(n: int, dim: int, seed: int) -> Vectors:
    """float32 (n, dim), unit rows in all directions alike."""
    rows = np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _index_part(name: str) -> Any:
    return composed(["mode=rag", f"retriever/index={name}"])["retriever"]["index"]


def _added(index: Index, numbers: Any, rows: Vectors) -> float:
    begun = time.perf_counter()
    index.add(numbers, rows)
    return time.perf_counter() - begun


def _stored_bytes(index: Index) -> int:
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder))
        return sum(path.stat().st_size for path in Path(folder).iterdir())
