"""What mirrors a recorded run into a store, and how a run remembers where it is mirrored."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, Protocol

from rag_eval.config.tracking_uri import absolute_uri, local_file, sqlite_file
from rag_eval.latency.store import FOLDER
from rag_eval.record.atomic_io import write_atomically
from rag_eval.record.run_directory import RECORD
from rag_eval.record.run_record import RunRecord

MARKER = "mirrored.json"  # beside the manifest, not in it: mirroring changes no result
ParentStatus = Literal["FINISHED", "FAILED", "KILLED"]


class Tracker(Protocol):
    """A mirror of runs. A store that is down costs a warning line, never a result."""

    parent: str | None  # id of the sweep that a logged run belongs to

    def log(self, run_dir: Path, record: RunRecord, parent: str | None = None) -> str:
        """Mirror one run, at most once in each state; `parent` beats the tracker's. Its id in the store, '' = not taken."""
        ...

    def start_parent(self, name: str) -> str:
        """Open the run of a sweep. Its id, '' = there is no store or it does not answer."""
        ...

    def end_parent(self, id: str, status: ParentStatus) -> None:
        """Close the run of a sweep."""
        ...

    def attach(self, id: str, write: Callable[[Path], str]) -> None:
        """Give the run of a sweep files: `write` fills an empty folder and returns a text to be read first."""
        ...


class NoTracking:
    """The run directory only."""

    def __init__(self, parent: str | None = None) -> None:
        self.parent = parent

    def log(self, run_dir: Path, record: RunRecord, parent: str | None = None) -> str:
        """Nothing."""
        return ""

    def start_parent(self, name: str) -> str:
        """Nothing."""
        return ""

    def end_parent(self, id: str, status: ParentStatus) -> None:
        """Nothing."""

    def attach(self, id: str, write: Callable[[Path], str]) -> None:
        """Nothing."""


def is_mirrored(run_dir: Path, uri: str) -> bool:
    """Whether the run as it stands is in this store already. Imports no store."""
    return _entry(run_dir, uri).get("run_json") == _state(run_dir)


def mirrored_id(run_dir: Path, uri: str) -> str | None:
    """The run's id in a store that it was sent to before, complete or not."""
    return _entry(run_dir, uri).get("id")


def n_traced(run_dir: Path, uri: str) -> int:
    """How many questions of the run as it is recorded the store has traces of."""
    n, _, record = _entry(run_dir, uri).get("traces", "").partition(" of ")
    return int(n) if record == _sha([run_dir / RECORD]) else 0


def mark(run_dir: Path, uri: str, id: str, is_complete: bool, n_traced: int = 0) -> None:
    """Remember the run's id in a store, whether everything arrived, and how many traces did."""
    entry = {"id": id, "run_json": _state(run_dir) if is_complete else "", "traces": f"{n_traced} of {_sha([run_dir / RECORD])}"}
    text = json.dumps({**_marks(run_dir), absolute_uri(uri): entry}, indent=1)
    write_atomically(run_dir / MARKER, text + "\n")


def _entry(run_dir: Path, uri: str) -> dict[str, str]:
    entry = _marks(run_dir).get(absolute_uri(uri), {})
    return entry if entry and _holds(uri, entry["id"]) else {}


def _holds(uri: str, id: str) -> bool:
    """Whether a store that is a file still holds a run: it may have been deleted, and made anew. A server is trusted."""
    file = local_file(uri)
    if file is None:
        return True
    if not file.exists():
        return False
    if sqlite_file(uri) is None:
        return id in file.read_text(encoding="utf-8")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as store:
            return store.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (id,)).fetchone() is not None
    except sqlite3.Error as error:
        return "locked" in str(error)  # in use; anything else is no store of MLflow's


def _marks(run_dir: Path) -> dict[str, dict[str, str]]:
    file = run_dir / MARKER
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _state(run_dir: Path) -> str:
    """A hash of the record, and of the latencies that were measured since."""
    return _sha([run_dir / RECORD, *sorted((run_dir / FOLDER).glob("*.json"))])


def _sha(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
