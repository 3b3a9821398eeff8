"""What run.json says: one run's identity, status, facts, spends and estimates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rag_eval.errors import DataError
from rag_eval.older_targets import current_choices
from rag_eval.record.serial import from_plain, null_where_not_finite, to_plain
from rag_eval.types import Estimate, Spend

SCHEMA_VERSION = 2  # 1 lacked what a comparison needs: context, audit, source
Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class RunRecord:
    """One run as it is recorded."""

    run_id: str
    experiment: str
    mode: str
    status: Status
    facts: Mapping[str, Any]  # choices, comparison, git, versions, hardware, counts, seconds, tokens
    spends: Mapping[str, Spend] = field(
        default_factory=dict
    )  # by stage: learn, load, answer, probe, update (of one document), data_generation (shared by runs)
    estimates: Mapping[str, Estimate] = field(default_factory=dict)  # by slashed name; nan = nothing could be judged
    attempts: Sequence[Mapping[str, Spend]] = ()  # spends of earlier attempts that did not finish; {} = not measured
    started: str = ""  # UTC label, never used to compute a duration
    ended: str | None = None
    error: str | None = None  # one line
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        timed = [name for name in self.estimates if name.startswith("latency/")]
        if timed:
            raise ValueError(f"{timed[0]}: a latency is kept with the protocol it was taken under, never in a run's record.")

    @property
    def base_weights(self) -> str | None:
        """What the base model's weights were made of, in words; None where they are used as they were given."""
        origin = self.facts.get("base_weights")
        if origin is None:
            return None
        formats = ", ".join(f"{name} ({n} tensors)" for name, n in origin["formats"].items())
        return f"{origin['format']} {formats}, dequantised to {origin['dequantised_to']}, from the file with sha256 {origin['sha256']}"

    def to_json(self) -> str:
        """Indented JSON, floats unrounded, null where a number is not finite."""
        return json.dumps(null_where_not_finite(to_plain(self)), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> RunRecord:
        """The record in a text.

        Raises:
            DataError: it is not a record, or a newer version wrote it; `source` is named.
        """
        try:
            plain = json.loads(text)
            version = int(plain["schema_version"])
            plain["estimates"] = {name: _nan_for_null(estimate) for name, estimate in plain["estimates"].items()}
            if "choices" in plain["facts"]:
                plain["facts"]["choices"] = current_choices(plain["facts"]["choices"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{source}: expected the record of a run, found something else ({error}).") from error
        if version > SCHEMA_VERSION:
            raise DataError(f"{source}: written by a newer version (schema {version}, known {SCHEMA_VERSION}); update rag_eval.")
        try:
            return from_plain(cls, plain)
        except ValueError as error:
            raise DataError(f"{source}: a field of the record does not fit: {str(error).splitlines()[1]}.") from error


def _nan_for_null(estimate: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in estimate.items()}
