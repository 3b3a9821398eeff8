"""Questions answered while documents are written into a PostgreSQL store, and how soon a written document is found."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from experiments.effects.arms import ARMS, ArmRun, Plan, settings_of
from experiments.study import Found, Run
from experiments.table.kept import kept
from rag_eval.config.build import build, system_of
from rag_eval.config.compose import composed
from rag_eval.errors import EnvironmentFault
from rag_eval.latency.measure import measure
from rag_eval.latency.protocol import LatencyProtocol
from rag_eval.latency.record import LatencyRecord
from rag_eval.preparation import prepared
from rag_eval.protocols import Embedder, Index, Numbers, Similarity, Vectors
from rag_eval.record.cache import DirectoryCache
from rag_eval.report.claims.claim import Missing
from rag_eval.report.claims.timed import Size
from rag_eval.retrieve.dense import Dense
from rag_eval.run_spec import RunSpec
from rag_eval.system import System
from rag_eval.types import Document, Example, QADataset

LIVE = "live store"
ARM = "rag"
QUIET, BUSY = ARM, "rag, documents arrive"
N_WRITES = 100  # writes one after the other, each with a text of its own that is asked for at once
N_WARM_UP = 20
STARTS_S = 60  # on a busy machine a server is there a while before it takes connections


@dataclass(frozen=True)
class Live:
    """What was measured on a store that is written to."""

    quiet: LatencyRecord
    busy: LatencyRecord  # the same questions, with a document written beside each
    write_s: tuple[float, ...]  # seconds of replacing a document, embedding included, nothing else going on
    found_s: tuple[float, ...]  # seconds from the document to a search that gives its new text
    is_found: tuple[float, ...]  # whether the next question finds the new text: 1 or 0; questions that miss the document are left out


def live(plan: Plan, size: Size) -> Run[Any, Any]:
    """The measurement in the first world; Missing where no server can be had."""

    def make(found: Found[Any, Any]) -> Live | Missing:
        run_id = found[ArmRun(ARM, plan.seeds[0], 0)].record.run_id
        settings = [*settings_of(plan, plan.seeds[0], ARMS[ARM][0]), "retriever/index=postgres"]
        decides = [run_id, str(size), str(N_WRITES)]
        try:
            return kept(plan.output_dir, LIVE, Live, decides, __file__, lambda: measured(settings, size, run_id))
        except EnvironmentFault as error:
            return Missing(str(error))

    return Run(LIVE, make)


@contextmanager
def server() -> Iterator[None]:
    """The PostgreSQL server that PGHOST names, or a local one for as long as the context lasts.

    Yields:
        Nothing.

    Raises:
        EnvironmentFault: if none is named and none can be started.
    """
    if "PGHOST" in os.environ:
        yield
        return
    try:
        from rag_eval.testing.postgres import local_server
    except ImportError as error:
        raise EnvironmentFault("no PostgreSQL server: set PGHOST, or run: pip install 'rag_eval[dev]'") from error
    with local_server():
        yield


def measured(settings: Sequence[str], size: Size, run_id: str) -> Live:
    """Both sessions and the writes.

    Args:
        settings: of a run that searches a PostgreSQL store.
        size: of the sessions.
        run_id: of the recorded run that says what the arm answers.

    Returns:
        What was measured.
    """
    spec, dataset, _ = prepared(composed(settings))
    with server(), tempfile.TemporaryDirectory() as cache:
        embedder, index = build(spec.retriever.get("embedder")), OneAtATime(build(spec.retriever.get("index")))
        retriever = dense(spec, embedder, index, Path(cache))
        system, _ = replace(system_of(spec), retriever=retriever).learn(dataset, spec.seed)
        sessions = timed(system, dataset, size, run_id)
        write_s, found_s, is_found = written(retriever, dataset)
    return Live(sessions[QUIET], sessions[BUSY], write_s, found_s, is_found)


def dense(spec: RunSpec, embedder: Embedder, index: Index, cache: Path) -> Dense:
    """The dense retriever of a run with another index and a cache of its own."""
    return Dense(embedder, index, DirectoryCache(str(cache)), spec.retriever.get("k"), spec.retriever.get("depth"))


def timed(system: System, dataset: QADataset, size: Size, run_id: str) -> dict[str, LatencyRecord]:
    """The same questions with nothing else going on and with a document written beside each, in alternation.

    A document is written by one thread from when a question is asked. The next question is asked when it has been written, so that no
    question meets a write of another one.
    """
    protocol = LatencyProtocol("single_stream", size.n_queries, N_WARM_UP, size.n_blocks, None, None, "warm", 0)
    with ThreadPoolExecutor(1) as thread:
        writer = Writer(thread, system.retriever.add, _revised(dataset.documents))
        receiving = Receiving(system.retriever, system.prompt, system.adapter, system.generator, writer.begin)
        systems = {QUIET: system, BUSY: receiving}
        records = measure(systems, dataset.test, protocol, "live", dict.fromkeys(systems, run_id), now=writer.clock)
    return {one.arm: one for one in records}


class Writer:
    """Writes documents in a thread, one beside each question that is timed, and none beside those of the warm-up."""

    def __init__(self, thread: ThreadPoolExecutor, add: Callable[[list[Document]], object], documents: Iterator[Document]) -> None:
        """Configure the writer.

        Args:
            thread: runs the writes.
            add: writes documents.
            documents: written one after the other.
        """
        self._thread, self._add, self._documents = thread, add, documents
        self._pending: list[Future[object]] = []
        self._is_timing = False

    def begin(self) -> None:
        """Begin to write the next document, if the clock runs; returns at once."""
        if self._is_timing:
            self._pending.append(self._thread.submit(self._add, [next(self._documents)]))

    def clock(self) -> float:
        """Read the clock, then wait until all has been written that was begun.

        Returns:
            Seconds, as they were before waiting.
        """
        seconds = time.perf_counter()
        self._is_timing = True
        for one in self._pending:
            one.result()  # raises what the write met
        self._pending.clear()
        return seconds


def written(retriever: Dense, dataset: QADataset) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Documents replaced one after the other, in turn until there are `N_WRITES`, each asked for at once.

    Args:
        retriever: that holds the documents.
        dataset: of the documents and of the questions about them.

    Returns:
        Seconds of each write, seconds until a search had ended, and whether that search gave the new text.
    """
    documents = {one.id: one for one in dataset.documents}
    by_document = {one.evidence[0]: one for one in reversed(dataset.test) if one.evidence}
    found = [one for one in by_document.values() if _text_found(retriever, one) is not None]
    asked = islice(cycle(found), N_WRITES)  # 76 are needed to show that more than 95 % are found; a world has fewer documents
    write_s, found_s, is_found = [], [], []
    for number, question in enumerate(asked):
        document = documents[question.evidence[0]]
        revised = replace(document, text=f"{document.text} Written again, {number}.")
        begun = time.perf_counter()
        retriever.add([revised])
        written = time.perf_counter()
        text = _text_found(retriever, question)
        write_s.append(written - begun)
        found_s.append(time.perf_counter() - begun)
        is_found.append(float(text == revised.text))
    return tuple(write_s), tuple(found_s), tuple(is_found)


def _text_found(retriever: Dense, question: Example) -> str | None:
    """The text of a question's first evidence as the store gives it; None = it is not among the documents found."""
    (result,) = retriever.search([question])
    return next((hit.document.text for hit in result.hits if hit.document.id == question.evidence[0]), None)


def _revised(documents: Sequence[Document]) -> Iterator[Document]:
    """Every document with a new text, again and again."""
    number = 0
    while True:
        for document in documents:
            number += 1
            yield replace(document, text=f"{document.text} Revised, {number}.")


@dataclass(frozen=True)
class Receiving(System):
    """A system whose store is given a document whenever it is asked something."""

    write: Callable[[], None]  # returns at once

    def answer(self, examples: Sequence[Example]) -> list[Any]:
        """As System, beside a write."""
        self.write()
        return super().answer(examples)


class OneAtATime:
    """An index that serves several threads over one connection, one command at a time."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self.can_remove, self.is_exact, self.is_kept = index.can_remove, index.is_exact, index.is_kept
        self.similarities: frozenset[Similarity] = index.similarities

    def identity(self) -> Any:
        """That of the index."""
        return self._index.identity()

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Add vectors."""
        with self._lock:
            self._index.add(numbers, vectors)

    def remove(self, numbers: Numbers) -> None:
        """Remove vectors."""
        with self._lock:
            self._index.remove(numbers)

    def clear(self) -> None:
        """Remove all vectors."""
        with self._lock:
            self._index.clear()

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Nearest vectors of each query."""
        with self._lock:
            return self._index.search(queries, k)

    def save(self, folder: Path) -> None:
        """Write the content into a folder."""
        with self._lock:
            self._index.save(folder)

    def load(self, folder: Path) -> None:
        """Replace the content by a saved index."""
        with self._lock:
            self._index.load(folder)
