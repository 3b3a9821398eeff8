"""Runs as lines of one file, for machines without a store."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from rag_eval.errors import EnvironmentFault
from rag_eval.latency.store import latency_metrics, read_latencies
from rag_eval.record.atomic_io import locked, writing
from rag_eval.record.run_record import RunRecord
from rag_eval.track.tracker import ParentStatus, is_mirrored, mark, mirrored_id

log = logging.getLogger(__name__)


class JsonLines:
    """A tracker that appends each run's record, with the id of its sweep, to a file."""

    def __init__(self, path: str, parent: str | None = None) -> None:
        self.path = path
        self.parent = parent

    def log(self, run_dir: Path, record: RunRecord, parent: str | None = None) -> str:
        """See `Tracker.log`; the id is the run id."""
        parent = parent or self.parent
        if is_mirrored(run_dir, self.path):
            if parent is not None:
                self._append({"kind": "link", "run_id": record.run_id, "parent": parent})  # the sweep that asked for it again
            return mirrored_id(run_dir, self.path) or ""
        line = {"kind": "run", "parent": parent, "directory": str(run_dir), "record": json.loads(record.to_json())}
        line["latency"] = latency_metrics(read_latencies(run_dir))
        if not self._append(line):
            return ""
        mark(run_dir, self.path, record.run_id, is_complete=True)
        return record.run_id

    def start_parent(self, name: str) -> str:
        """See `Tracker.start_parent`."""
        id = uuid4().hex
        return id if self._append({"kind": "sweep", "id": id, "name": name, "status": "RUNNING"}) else ""

    def end_parent(self, id: str, status: ParentStatus) -> None:
        """See `Tracker.end_parent`; a later line of the same id is the truth."""
        self._append({"kind": "sweep", "id": id, "status": status})

    def attach(self, id: str, write: Callable[[Path], str]) -> None:
        """See `Tracker.attach`; a line holds no files."""

    def _append(self, line: dict[str, Any]) -> bool:
        path = Path(self.path)
        try:
            with (
                writing(path),
                locked(path.with_name(f"{path.name}.lock"), f"writing {path}"),
                path.open("a", encoding="utf-8") as file,
            ):
                file.write(json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n")
        except EnvironmentFault as fault:
            log.warning("tracking: not mirrored: %s", fault)
            return False
        return True
