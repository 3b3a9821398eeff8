"""Recorded runs in MLflow. Import this module only when a run is to be mirrored: MLflow takes seconds to load.

Through the client alone, so that a status is what the record says and never what an exit hook guesses.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # standard output ends with a run's directory
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a store that hangs costs half a minute, not four a call
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ASYNC_TRACE_LOGGING_RETRY_TIMEOUT", "20")  # of a trace, in whole

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from pydantic import Field

from rag_eval.conf_folder import conf_dir
from rag_eval.config.tracking_uri import SQLITE, absolute_uri, check_uri, sqlite_file
from rag_eval.cost.prices import PriceSheet, read_sheet
from rag_eval.errors import ConfigError, RagEvalError
from rag_eval.latency.store import latency_metrics, read_latencies
from rag_eval.record.atomic_io import locked
from rag_eval.record.load import read_run
from rag_eval.record.run_directory import FILES
from rag_eval.record.run_record import RunRecord
from rag_eval.record.texts import Texts
from rag_eval.recorded_texts import texts_of
from rag_eval.track.mlflow_rows import ARM, ERROR, headline, metrics_of, params_of, run_name, short_name, tags_of
from rag_eval.track.mlflow_traces import Traces
from rag_eval.track.traces import N_TRACES, trace_rows
from rag_eval.track.tracker import ParentStatus, is_mirrored, mark, mirrored_id, n_traced

log = logging.getLogger(__name__)

PARENT = "mlflow.parentRunId"
PARAMS_A_CALL = 100  # MLflow's limit
KIND, NOTE = "mlflow.experimentKind", "mlflow.note.content"
GENAI = "genai_development"  # the kind of experiments with an overview of traces and a comparison of answers
SENT = "rag_eval.traces"
NAMESAKES = 1000


class MLflow:
    """A tracker that mirrors runs into one MLflow experiment."""

    def __init__(
        self,
        uri: str,
        experiment: str,
        artifacts: str,
        parent: str | None = None,
        n_traces: Annotated[int, Field(ge=0)] = N_TRACES,
        texts: Literal["local", "always", "never"] = "local",
        hardware: str | None = None,
        utilisation: Annotated[float, Field(gt=0, le=1)] | None = None,
    ) -> None:
        """Where to mirror, and what; nothing is opened yet.

        Args:
            uri: sqlite:///FILE, a database or the address of a server.
            experiment: name in MLflow.
            artifacts: folder for files; unused with a server, which has its own.
            parent: MLflow id of the sweep.
            n_traces: questions of a run that become traces, at most.
            texts: whether traces show questions, gold answers, passages and prompts, which a run directory does not hold: local = in a
                SQLite file only. Answers are always shown.
            hardware: name of a price sheet in conf/hardware for the metrics in USD.
            utilisation: share of the paid hours in which the machine does such work, in (0, 1]. Without both, USD are not measured.

        Raises:
            ConfigError: see `check_uri`.
        """
        check_uri(uri)
        self.uri = absolute_uri(uri)
        self.experiment = experiment
        self.artifacts = artifacts
        self.parent = parent
        self.n_traces = n_traces
        self.texts = texts
        self.hardware = hardware
        self.utilisation = utilisation

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
            n_sent = n_traced(run_dir, self.uri)
            mark(run_dir, self.uri, run_id, is_complete=False, n_traced=n_sent)
            self._fill(run_id, run_dir, record)
            n_sent = self._trace(run_id, run_dir, record, n_sent)
            mark(run_dir, self.uri, run_id, is_complete=True, n_traced=n_sent)
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

    def attach(self, id: str, write: Callable[[Path], str]) -> None:
        """See `Tracker.attach`. The run of a sweep opens on the text, which is Markdown."""
        with self._tolerant(f"report of sweep {id}"), tempfile.TemporaryDirectory(prefix="rag_eval-report-") as folder:
            self._client.set_tag(id, NOTE, write(Path(folder)))
            self._client.log_artifacts(id, folder)

    def _create(self, record: RunRecord, parent: str | None) -> str:
        arm = run_name(record).replace('"', "'")
        tags = {**tags_of(record), ARM: arm, **({PARENT: parent} if parent else {})}
        alike = self._client.search_runs([self._experiment_id], f'tags.`{ARM}` = "{arm}"', max_results=NAMESAKES)
        name = run_name(record, [one.data.params for one in alike])
        run = self._client.create_run(self._experiment_id, start_time=_milliseconds(record.started), tags=tags, run_name=name)
        return str(run.info.run_id)

    def _fill(self, run_id: str, run_dir: Path, record: RunRecord) -> None:
        ended = _milliseconds(record.ended or record.started)
        latencies = read_latencies(run_dir)
        timed = latency_metrics(latencies)
        metrics = [Metric(name, value, ended, 0) for name, value in metrics_of(record).items()]
        # A later session is a later step: of equal steps MLflow shows the largest value.
        metrics += [Metric(name, value, ended, len(latencies)) for name, value in timed.items()]
        shown = headline(record, timed, self._sheet(), self.utilisation)
        metrics += [Metric(name, value, ended, len(latencies)) for name, value in shown.items()]
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

    def _trace(self, run_id: str, run_dir: Path, record: RunRecord, n_sent: int) -> int:
        """Send the questions of a finished run as traces; how many of them the store has now."""
        if record.status != "FINISHED" or not self.n_traces:
            return n_sent
        try:
            run = read_run(run_dir)
        except RagEvalError as error:
            log.warning("tracking: no traces of %s: %s", run_dir, error)
            return n_sent
        shows_texts = self.texts == "always" or (self.texts == "local" and sqlite_file(self.uri) is not None)
        if n_sent >= min(self.n_traces, len(run.rows)):
            return n_sent
        rows = trace_rows(run, texts_of(run) if shows_texts else Texts(), self.n_traces)
        name = str(self._client.get_run(run_id).info.run_name)
        traces = Traces(self.uri, self._experiment_id, run_id, name, _milliseconds(record.started))
        traces.send(rows, n_sent, lambda n: mark(run_dir, self.uri, run_id, is_complete=False, n_traced=n))
        self._client.set_tag(run_id, SENT, f"{len(rows)} of {len(run.rows)} questions")
        return len(rows)

    def _sheet(self) -> PriceSheet | None:
        if self.hardware is None or self.utilisation is None:
            return None
        try:
            return read_sheet(conf_dir() / "hardware" / f"{self.hardware}.yaml")
        except ConfigError as error:
            log.warning("tracking: USD are not measured: %s", error)
            return None

    @cached_property
    def _client(self) -> MlflowClient:
        with self._preparing():
            return MlflowClient(tracking_uri=self.uri)

    @cached_property
    def _experiment_id(self) -> str:
        client = self._client
        with self._preparing():
            if (known := client.get_experiment_by_name(self.experiment)) is not None:
                if KIND not in known.tags:  # of an earlier version
                    client.set_experiment_tag(known.experiment_id, KIND, GENAI)
                return str(known.experiment_id)
            is_server = self.uri.startswith("http")
            folder = Path(self.artifacts).absolute() / self.experiment
            place = None if is_server else folder.as_uri() if set("?%#") & set(str(folder)) else str(folder)
            return str(client.create_experiment(self.experiment, artifact_location=place, tags={KIND: GENAI}))

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
        name=short_name(comparison.dataset_name),
        digest=comparison.dataset[:8],  # what a list has room for; the whole is a tag
        source_type="local",
        source=json.dumps({"name": comparison.dataset_name, "fingerprint": comparison.dataset}),
        profile=json.dumps({"num_rows": counts.n_questions}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "eval")])


def _milliseconds(label: str) -> int:
    return int(datetime.fromisoformat(label).timestamp() * 1000)
