"""Recorded runs in MLflow. Import this module only when a run is to be mirrored: MLflow takes seconds to load.

Through the client alone, so that a status is what the record says and never what an exit hook guesses.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # standard output ends with a run's directory
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a store that hangs costs half a minute, not four a call
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from rag_eval.config.tracking_uri import SQLITE, absolute_uri, check_uri, sqlite_file
from rag_eval.latency.store import latency_metrics, read_latencies
from rag_eval.record.atomic_io import locked
from rag_eval.record.run_directory import FILES
from rag_eval.record.run_record import RunRecord
from rag_eval.track.mlflow_rows import ERROR, metrics_of, params_of, run_name, tags_of
from rag_eval.track.tracker import ParentStatus, is_mirrored, mark, mirrored_id

log = logging.getLogger(__name__)

PARENT = "mlflow.parentRunId"
PARAMS_A_CALL = 100  # MLflow's limit


class MLflow:
    """A tracker that mirrors runs into one MLflow experiment."""

    def __init__(self, uri: str, experiment: str, artifacts: str, parent: str | None = None) -> None:
        """Where to mirror; nothing is opened yet.

        Args:
            uri: sqlite:///FILE, a database or the address of a server.
            experiment: name in MLflow.
            artifacts: folder for files; unused with a server, which has its own.
            parent: MLflow id of the sweep.

        Raises:
            ConfigError: see `check_uri`.
        """
        check_uri(uri)
        self.uri = absolute_uri(uri)
        self.experiment = experiment
        self.artifacts = artifacts
        self.parent = parent

    def log(self, run_dir: Path, record: RunRecord, parent: str | None = None) -> str:
        """See `Tracker.log`. A run that was mirrored before it was finished goes on under the same id."""
        known, parent = mirrored_id(run_dir, self.uri), parent or self.parent
        if known is not None and parent is None and is_mirrored(run_dir, self.uri):
            return known
        with self._tolerant(f"run {record.run_id}; its files are in {run_dir}"):
            run_id = known or self._create(record, parent)
            if known and parent:
                self._client.set_tag(known, PARENT, parent)  # the sweep that asked for it last shows it
            if is_mirrored(run_dir, self.uri):
                return run_id
            mark(run_dir, self.uri, run_id, is_complete=False)
            self._fill(run_id, run_dir, record)
            mark(run_dir, self.uri, run_id, is_complete=True)
            return run_id
        return ""

    def start_parent(self, name: str) -> str:
        """See `Tracker.start_parent`."""
        with self._tolerant(f"sweep {name}"):
            run = self._client.create_run(self._experiment_id, run_name=name, tags={"rag_eval.kind": "sweep"})
            return str(run.info.run_id)
        return ""

    def end_parent(self, id: str, status: ParentStatus) -> None:
        """See `Tracker.end_parent`."""
        with self._tolerant(f"end of sweep {id}"):
            self._client.set_terminated(id, status)

    def _create(self, record: RunRecord, parent: str | None) -> str:
        tags = {**tags_of(record), **({PARENT: parent} if parent else {})}
        started = _milliseconds(record.started)
        run = self._client.create_run(self._experiment_id, start_time=started, tags=tags, run_name=run_name(record))
        return str(run.info.run_id)

    def _fill(self, run_id: str, run_dir: Path, record: RunRecord) -> None:
        ended = _milliseconds(record.ended or record.started)
        latencies = read_latencies(run_dir)
        metrics = [Metric(name, value, ended, 0) for name, value in metrics_of(record).items()]
        # A later session is a later step: of equal steps MLflow shows the largest value.
        metrics += [Metric(name, value, ended, len(latencies)) for name, value in latency_metrics(latencies).items()]
        params = [Param(name, value) for name, value in params_of(record).items()]
        tags = [RunTag(name, value) for name, value in tags_of(record).items()]
        self._client.log_batch(run_id, metrics, params[:PARAMS_A_CALL], tags)
        if record.error is None and ERROR in self._client.get_run(run_id).data.tags:
            self._client.delete_tag(run_id, ERROR)  # of an end before this one
        for start in range(PARAMS_A_CALL, len(params), PARAMS_A_CALL):
            self._client.log_batch(run_id, params=params[start : start + PARAMS_A_CALL])
        self._client.log_inputs(run_id, [_dataset(record)])
        for name in FILES:
            if (run_dir / name).exists():
                self._client.log_artifact(run_id, str(run_dir / name))
        self._client.set_terminated(run_id, record.status, ended)

    @cached_property
    def _client(self) -> MlflowClient:
        with self._preparing():
            return MlflowClient(tracking_uri=self.uri)

    @cached_property
    def _experiment_id(self) -> str:
        client = self._client
        with self._preparing():
            if (known := client.get_experiment_by_name(self.experiment)) is not None:
                return str(known.experiment_id)
            is_server = self.uri.startswith("http")
            folder = Path(self.artifacts).absolute() / self.experiment
            place = None if is_server else folder.as_uri() if set("?%#") & set(str(folder)) else str(folder)
            return str(client.create_experiment(self.experiment, artifact_location=place))

    def _preparing(self) -> AbstractContextManager[None]:
        """Two processes that migrate one fresh SQLite file destroy it; two may not create one experiment either."""
        file = sqlite_file(self.uri)
        return self._alone_with(file) if file else nullcontext()

    @contextmanager
    def _alone_with(self, file: Path) -> Iterator[None]:
        """Alone with a SQLite file. MLflow makes the folder of its address as it is spelled, escapes and all: that goes again."""
        spelled = Path(self.uri.removeprefix(SQLITE).partition("?")[0]).parent
        is_new = spelled != file.parent and not spelled.exists()
        with locked(file.with_name(f"{file.name}.lock"), f"preparing {file}"):
            yield
        if is_new and spelled.is_dir():
            with suppress(OSError):  # somebody put something there
                os.removedirs(spelled)

    @contextmanager
    def _tolerant(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever a store does, the result on disk stands
            line = str(error).splitlines() or [""]
            log.warning("tracking: %s not mirrored: %s: %s", what, type(error).__name__, line[0])


def _dataset(record: RunRecord) -> DatasetInput:
    comparison, counts = record.facts.comparison, record.facts.outcomes.counts
    dataset = Dataset(
        name=comparison.dataset_name,
        digest=comparison.dataset[:32],  # MLflow keeps 36 characters; the whole is a tag
        source_type="local",
        source=json.dumps({"name": comparison.dataset_name, "fingerprint": comparison.dataset}),
        profile=json.dumps({"num_rows": counts.n_questions}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "eval")])


def _milliseconds(label: str) -> int:
    return int(datetime.fromisoformat(label).timestamp() * 1000)
