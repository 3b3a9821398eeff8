"""Traces of questions into MLflow: spans in batches, each trace under an id that is always the same, so that none is there twice.

`rag_eval.track.mlflow` imports this module, after it has set MLflow's environment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlflow.entities import AssessmentSource, Expectation, Feedback, TraceInfo, TraceLocation
from mlflow.entities.span import Span
from mlflow.entities.trace_state import TraceState
from mlflow.tracing.client import TracingClient

from rag_eval.track.traces import MEASURED, NOT_MEASURED, SpanRow, TraceRow
from rag_eval.types import ABSTENTION

A_BATCH = 50  # traces whose spans go out together
PATIENCE_S = 120.0  # a slow store gets the rest another time
# MLflow's pages know these two names, and show "yes" and "no" as passed and failed.
RIGHT = "correctness"
EXPECTED = "expected_response"
PREVIEW = 1000  # characters, MLflow's limit
SOURCE = AssessmentSource(source_type="CODE", source_id="rag_eval")


class SlowStore(Exception):
    """The store takes too long for traces."""


class Traces:
    """Sends the traces of one run, in order."""

    def __init__(self, uri: str, experiment_id: str, run_id: str, arm: str, started_ms: int) -> None:
        """Where they go; nothing is opened yet.

        Args:
            uri: absolute address of the store.
            experiment_id: of MLflow.
            run_id: MLflow's id of the run that they belong to.
            arm: name of the run, by which traces of several runs are told apart.
            started_ms: when the run started, milliseconds since 1970.
        """
        self._client = TracingClient(uri)
        self._experiment_id = experiment_id
        self._run_id = run_id
        self._arm = arm
        self._started_ms = started_ms

    def send(self, rows: Sequence[TraceRow], n_sent: int, sent: Callable[[int], None]) -> None:
        """Send what has not been sent before.

        Args:
            rows: all traces of the run.
            n_sent: how many of them the store has.
            sent: called after each batch with how many the store has now.

        Raises:
            SlowStore: when the time is up; what was sent stays.
        """
        end = time.monotonic() + PATIENCE_S
        for start in range(n_sent, len(rows), A_BATCH):
            batch = rows[start : start + A_BATCH]
            # Spans without tokens that come after their trace put their own length in the place of its duration, known or not.
            self._log([row for row in batch if not _usage(row)])
            for row in batch:
                self._client.start_trace(self._info(row))
                if time.monotonic() > end:
                    raise SlowStore(f"{start} of {len(rows)} traces in {PATIENCE_S:.0f} s; the same command sends the others")
            self._log([row for row in batch if _usage(row)])
            sent(start + len(batch))

    def _log(self, rows: Sequence[TraceRow]) -> None:
        self._client.log_spans(self._experiment_id, [span for row in rows for span in self._spans(row)])

    def trace_id(self, example_id: str) -> str:
        """The id of the trace of a question in this run."""
        return f"tr-{_digest(self._run_id, example_id)[:32]}"

    def _info(self, row: TraceRow) -> TraceInfo:
        usage = {"input_tokens": row.n_prompt_tokens, "output_tokens": row.n_output_tokens}
        tokens = {"mlflow.trace.tokenUsage": json.dumps(_usage(row))} if _usage(row) else {}
        return TraceInfo(
            trace_id=self.trace_id(row.example_id),
            trace_location=TraceLocation.from_experiment_id(self._experiment_id),
            request_time=self._started_ms,
            state=TraceState.ERROR if row.is_error else TraceState.OK,
            request_preview=row.asked[:PREVIEW],
            response_preview=row.answered[:PREVIEW],
            client_request_id=row.example_id,
            execution_duration=None if row.seconds is None else round(row.seconds * 1000),
            trace_metadata={"mlflow.sourceRun": self._run_id, **tokens},
            tags={
                "mlflow.traceName": self._arm,
                **row.tags,
                **{f"tokens.{name}": NOT_MEASURED for name, value in usage.items() if value is None},
            },
            assessments=self._assessments(row),
        )

    def _assessments(self, row: TraceRow) -> list[Feedback | Expectation]:
        verdict = None if row.is_right is None else "yes" if row.is_right else "no"
        values: dict[str, Any] = {RIGHT: verdict, **row.scores}
        found = [self._feedback(row, name, value) for name, value in values.items() if value is not None]
        if row.expected is not None:
            expected = list(row.expected) or [ABSTENTION]
            found.append(
                Expectation(
                    name=EXPECTED,
                    value=expected[0] if len(expected) == 1 else expected,
                    source=SOURCE,
                    create_time_ms=self._started_ms,
                    last_update_time_ms=self._started_ms,
                    **self._of(row),
                )
            )
            found[-1].assessment_id = self._assessment_id(row, EXPECTED)
        return found

    def _feedback(self, row: TraceRow, name: str, value: float | str) -> Feedback:
        made = Feedback(
            name=name,
            value=value,
            source=SOURCE,
            rationale=row.why if name == RIGHT else None,
            create_time_ms=self._started_ms,
            last_update_time_ms=self._started_ms,
            **self._of(row),
        )
        made.assessment_id = self._assessment_id(row, name)
        return made

    def _of(self, row: TraceRow) -> dict[str, Any]:
        """What makes an assessment part of an evaluation run."""
        trace_id = self.trace_id(row.example_id)
        return {"trace_id": trace_id, "span_id": _span_id(trace_id, 0), "metadata": {"mlflow.assessment.sourceRunId": self._run_id}}

    def _assessment_id(self, row: TraceRow, name: str) -> str:
        return f"a-{_digest(self._run_id, row.example_id, name)[:32]}"

    def _spans(self, row: TraceRow) -> list[Span]:
        return [self._span(row, at, span) for at, span in enumerate(row.spans)]

    def _span(self, row: TraceRow, at: int, span: SpanRow) -> Span:
        trace_id = self.trace_id(row.example_id)
        start_ns = self._started_ms * 1_000_000 + round(span.start_s * 1e9)
        attributes: dict[str, Any] = {
            "mlflow.traceRequestId": trace_id,
            "mlflow.experimentId": self._experiment_id,
            "mlflow.spanType": span.kind,
            "mlflow.spanInputs": span.inputs,
            "mlflow.spanOutputs": span.outputs,
            MEASURED: NOT_MEASURED if span.seconds is None else span.seconds,
            **span.attributes,
        }
        if span.kind == "LLM" and _usage(row):
            attributes["mlflow.chat.tokenUsage"] = _usage(row)
        return Span.from_dict(
            {
                "trace_id": _base64(trace_id.removeprefix("tr-")),
                "span_id": _base64(_span_id(trace_id, at)),
                "parent_span_id": _base64(_span_id(trace_id, 0)) if at else "",
                "name": span.name,
                "start_time_unix_nano": start_ns,
                "end_time_unix_nano": start_ns + round((span.seconds or 0.0) * 1e9),
                "events": [],
                "status": {"code": "STATUS_CODE_ERROR" if row.is_error and at == 0 else "STATUS_CODE_OK", "message": ""},
                "attributes": {name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items() if value is not None},
                "links": [],
            }
        )


def _usage(row: TraceRow) -> Mapping[str, int]:
    """Tokens as MLflow counts them; empty unless both were measured, for it takes a missing one for 0."""
    if row.n_prompt_tokens is None or row.n_output_tokens is None:
        return {}
    total = row.n_prompt_tokens + row.n_output_tokens
    return {"input_tokens": row.n_prompt_tokens, "output_tokens": row.n_output_tokens, "total_tokens": total}


def _span_id(trace_id: str, at: int) -> str:
    return _digest(trace_id, str(at))[:16]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()
