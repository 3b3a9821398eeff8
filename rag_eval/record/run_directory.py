"""A run on disk, the truth of what was measured: `<output_dir>/<experiment>/<run id>/`.

config.yaml        the resolved configuration
predictions.jsonl  the journal: what was answered so far survives any end, the same command goes on from there
scores.jsonl       one row a question
run.json           status, facts, spends, estimates
manifest.json      written last; the run is finished when every file is what it says
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.record.atomic_io import try_lock, unlock, write_atomically, writing
from rag_eval.record.facts import RunFacts
from rag_eval.record.journal import Journal
from rag_eval.record.manifest import MANIFEST, BrokenManifest, seal, verify
from rag_eval.record.run_record import RunRecord, Status
from rag_eval.record.score_rows import to_lines
from rag_eval.types import Estimate, Prediction, QuestionScores, Spend

log = logging.getLogger(__name__)

CONFIG, PREDICTIONS, SCORES, RECORD = "config.yaml", "predictions.jsonl", "scores.jsonl", "run.json"
FILES = (CONFIG, PREDICTIONS, SCORES, RECORD)
PLAIN_NAME = re.compile(r"\w[\w.-]*")


class RunDirectory:
    """One run's folder. Anyone may read it; between `begin` and `finish` or `end` one process writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path / PREDICTIONS)
        self._lock: int | None = None
        self._record: RunRecord | None = None

    @classmethod
    def open(cls, root: Path, experiment: str, run_id: str) -> RunDirectory:
        """The place of a run, whether the run exists or not.

        Args:
            root: folder of all experiments.
            experiment: plain folder name.
            run_id: plain folder name.

        Returns:
            The directory; nothing is written.

        Raises:
            ConfigError: if a name is no plain folder name.
        """
        for name in (experiment, run_id):
            if not PLAIN_NAME.fullmatch(name):
                raise ConfigError(f"expected a name of letters, digits, '_', '-' and '.', got {name!r}; choose another experiment_name.")
        return cls(root / experiment / run_id)

    def finished(self) -> RunRecord | None:
        """The record, if the run is finished and every file is what the manifest says; otherwise None."""
        if not (self.path / MANIFEST).exists():
            return None
        try:
            listed = verify(self.path)["files"]
        except BrokenManifest as error:
            log.warning("%s: not a finished run any more: %s", self.path, error)
            return None
        return self.record() if set(FILES) == set(listed) else None

    def record(self) -> RunRecord | None:
        """What run.json says now, unverified; None when there is none. RUNNING may mean that the process died."""
        file = self.path / RECORD
        return RunRecord.from_json(file.read_bytes(), str(file)) if file.exists() else None

    def predictions(self) -> dict[str, Prediction]:
        """What was answered so far, by example id."""
        return self._journal.read()

    def begin(self, config_yaml: str, facts: RunFacts) -> None:
        """Lock the run and mark it RUNNING; answers of an interrupted attempt are kept.

        Args:
            config_yaml: the whole configuration, as YAML.
            facts: what is known before the run.

        Raises:
            EnvironmentFault: if another process is writing this run, or the disk cannot be written.
        """
        with writing(self.path):
            self._lock = try_lock(self.path / ".lock")
        if self._lock is None:
            raise EnvironmentFault(f"run {self.path.name} is busy: another process writes {self.path}; wait until it ends.")
        try:
            (self.path / MANIFEST).unlink(missing_ok=True)
            write_atomically(self.path / CONFIG, config_yaml)
            self._journal.repair()
            experiment, run_id = self.path.parent.name, self.path.name
            attempts = self._attempts()
            self._save(RunRecord(run_id, experiment, facts.provenance.mode, "RUNNING", facts, started=_now(), attempts=attempts))
        except BaseException:
            self._release()
            raise

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Add answers; they are on the disk when this returns."""
        self._begun()
        self._journal.append(predictions)

    def finish(
        self,
        scores: Sequence[QuestionScores],
        spends: Mapping[str, Spend],
        estimates: Mapping[str, Estimate],
        facts: RunFacts,
    ) -> RunRecord:
        """Write the rest, then the manifest, and let the run go. nan in a score becomes null: it could not be judged."""
        record = self._begun()
        write_atomically(self.path / SCORES, to_lines(scores))
        self._journal.append([])  # a run without questions has an empty journal, not none
        finished = replace(record, status="FINISHED", facts=facts, spends=spends, estimates=estimates, ended=_now())
        self._save(finished)
        seal(self.path, [self.path / name for name in FILES], {"run_id": record.run_id})
        self._release()
        return finished

    def end(self, status: Status, error: str | None = None, spends: Mapping[str, Spend] | None = None) -> RunRecord:
        """Record an end before the finish, FAILED or KILLED, with what was spent until then, and let the run go."""
        ended = replace(self._begun(), status=status, error=error, spends=spends or {}, ended=_now())
        self._save(ended)
        self._release()
        return ended

    def _attempts(self) -> tuple[Mapping[str, Spend], ...]:
        """What earlier attempts spent, also one whose finished files were damaged; nothing is known of one killed without a word."""
        try:
            before = self.record()
        except DataError:
            return ()
        return () if before is None else (*before.attempts, before.spends)

    def _begun(self) -> RunRecord:
        if self._record is None or self._lock is None:
            raise ValueError(f"{self.path}: begin() comes first")
        return self._record

    def _save(self, record: RunRecord) -> None:
        self._record = record
        write_atomically(self.path / RECORD, record.to_json())

    def _release(self) -> None:
        if self._lock is not None:
            unlock(self._lock)
            self._lock = None


def runs_in(experiments: Iterable[Path]) -> list[tuple[Path, RunRecord]]:
    """Every run of some experiments in whatever state: its folder, which may have been renamed, and its record; in the order of paths."""
    return [(folder, record) for folder in _folders(experiments) if (record := RunDirectory(folder).record()) is not None]


def finished_in(experiments: Iterable[Path]) -> list[tuple[Path, RunRecord]]:
    """The same of the finished runs whose files agree with their manifest."""
    return [(folder, record) for folder in _folders(experiments) if (record := RunDirectory(folder).finished()) is not None]


def _folders(experiments: Iterable[Path]) -> list[Path]:
    return sorted(file.parent for experiment in experiments for file in experiment.glob(f"*/{RECORD}"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
