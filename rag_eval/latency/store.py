"""Latency measurements beside a run: `<run>/latency/<n>-<session>.json`. They are added later and change no result."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from rag_eval.errors import DataError
from rag_eval.latency.record import LatencyRecord
from rag_eval.latency.summary import summarised
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.serialize import from_plain, to_plain

FOLDER = "latency"
SINGLE_STREAM = "single_stream"
PLAIN = {FOLDER: SINGLE_STREAM, "throughput": "offline"}  # the condition that each group of measures does not name


def write_latency(run_dir: Path, record: LatencyRecord) -> Path:
    """Keep a measurement; earlier ones stay."""
    folder = run_dir / FOLDER
    with writing(folder):
        folder.mkdir(exist_ok=True)
    path = folder / f"{len(list(folder.glob('*.json'))) + 1:04d}-{record.session}.json"
    write_atomically(path, json.dumps(to_plain(record), indent=1, allow_nan=False) + "\n")
    return path


def read_latencies(run_dir: Path) -> list[LatencyRecord]:
    """Read all latency measurements of a run.

    Args:
        run_dir: directory of the run.

    Returns:
        The records, oldest first.

    Raises:
        DataError: if a file is not a measurement, or lacks a condition under which its timings were taken.
    """
    records = []
    for path in sorted((run_dir / FOLDER).glob("*.json")):
        try:
            records.append(from_plain(LatencyRecord, json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}: expected a latency measurement with its conditions, found something else ({error}).") from error
    return records


def newest(records: Sequence[LatencyRecord]) -> dict[str, LatencyRecord]:
    """The last measurement under each condition: the scenario, and whether answers had a forced length."""
    found: dict[str, LatencyRecord] = {}
    for record in records:
        forced = record.protocol["forced_tokens"]
        condition = str(record.protocol["scenario"]) + ("" if forced is None else f"_forced_{forced}")
        found.pop(condition, None)
        found[condition] = record
    return found


def latency_metrics(records: Sequence[LatencyRecord]) -> dict[str, float]:
    """The newest measurement under each condition under tracked names; `_lo` and `_hi` end an interval.

    Single stream is `latency/...`, offline `throughput/...`; another condition says its own name, as in
    `latency_poisson/e2e_p95_ms` and `throughput_offline_forced_64/tokens_per_s`. A bound that does not exist is absent.
    """
    found: dict[str, float] = {}
    for condition, record in newest(records).items():
        for name, one in summarised(record).items():
            group, _, measure = name.partition("/")
            tracked = name if condition == PLAIN[group] else f"{group}_{condition}/{measure}"
            found |= {tracked: one.value, f"{tracked}_lo": one.low, f"{tracked}_hi": one.high}
    return {name: value for name, value in found.items() if math.isfinite(value)}
