#!/usr/bin/env bash
# A trace whose duration was given with `start_trace` keeps it when its spans arrive only if they carry tokens, a cost or a session.
# Otherwise `log_spans` puts the length of the spans in its place, though the trace is marked as finalized: the mark is looked up only for
# traces with such attributes. A trace without a duration (not measured) gets 0 ms, which then counts in every mean of the overview.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet mlflow==3.17.2
cd "$work"
MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true MLFLOW_LOGGING_LEVEL=WARNING "$work/venv/bin/python" - <<'PY'
import base64
import json

import mlflow
from mlflow import MlflowClient
from mlflow.entities import TraceInfo, TraceLocation
from mlflow.entities.span import Span
from mlflow.entities.trace_state import TraceState
from mlflow.tracing.client import TracingClient

store = "sqlite:///mlflow.db"
experiment = MlflowClient(store).create_experiment("study")
client = TracingClient(store)
START_MS = 1_700_000_000_000
TOKENS = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}


def stored(number, given_ms, span_ms, tokens):
    """The duration of a trace after its span has arrived."""
    digits, span_id = f"{number:032x}", f"{number:016x}"
    given = TraceInfo(f"tr-{digits}", TraceLocation.from_experiment_id(experiment), START_MS, TraceState.OK, execution_duration=given_ms)
    client.start_trace(given)
    attributes = {"mlflow.traceRequestId": f"tr-{digits}", **({"mlflow.chat.tokenUsage": tokens} if tokens else {})}
    span = Span.from_dict({
        "trace_id": base64.b64encode(bytes.fromhex(digits)).decode(),
        "span_id": base64.b64encode(bytes.fromhex(span_id)).decode(),
        "parent_span_id": "",
        "name": "question",
        "start_time_unix_nano": START_MS * 1_000_000,
        "end_time_unix_nano": (START_MS + span_ms) * 1_000_000,
        "events": [],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {name: json.dumps(value) for name, value in attributes.items()},
        "links": [],
    })
    client.log_spans(experiment, [span])
    return client.get_trace_info(f"tr-{digits}").execution_duration


print("mlflow", mlflow.__version__)
seen = {
    "given 5 ms, span of 1000 ms with tokens": stored(1, 5, 1000, TOKENS),
    "given 5 ms, span of 1000 ms without": stored(2, 5, 1000, None),
    "given none, span of 0 ms with tokens": stored(3, None, 0, TOKENS),
    "given none, span of 0 ms without": stored(4, None, 0, None),
}
for what, duration in seen.items():
    print(f"{what}: {duration}")
assert list(seen.values()) == [5, 1000, None, 0], seen
PY
