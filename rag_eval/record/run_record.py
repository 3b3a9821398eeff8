"""What run.json says: one run's identity, status, facts, spends and estimates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from rag_eval.errors import DataError
from rag_eval.record import facts_json
from rag_eval.record.facts import RunFacts
from rag_eval.record.serialize import from_plain, null_where_not_finite, to_plain
from rag_eval.score.scoring import Scoring
from rag_eval.types import Estimate, Spend

SCHEMA_VERSION = 3  # 2 left facts out that were not known, and metrics declared nothing at first
COMPARABLE_SINCE = 2  # 1 lacked what a comparison needs: context, audit, source
Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class RunRecord:
    """One run as it is recorded."""

    run_id: str
    experiment: str
    mode: str
    status: Status
    facts: RunFacts
    spends: Mapping[str, Spend] = field(
        default_factory=dict
    )  # by stage: learn, load, answer, probe, update (of one document), data_generation (shared by runs)
    estimates: Mapping[str, Estimate] = field(default_factory=dict)  # by slashed name; nan = nothing could be judged
    attempts: tuple[Mapping[str, Spend], ...] = ()  # spends of earlier attempts that left no finished run; {} = not measured
    started: str = ""  # UTC label, never used to compute a duration
    ended: str | None = None
    error: str | None = None  # one line
    schema_version: int = SCHEMA_VERSION  # of the version that made the run

    def __post_init__(self) -> None:
        timed = [name for name in self.estimates if name.startswith("latency/")]
        if timed:
            raise ValueError(f"{timed[0]}: a latency is kept with the protocol it was taken under, never in a run's record.")

    @property
    def is_comparable(self) -> bool:
        """Whether it says all that a comparison needs."""
        return self.schema_version >= COMPARABLE_SINCE

    @property
    def scoring(self) -> Scoring:
        """What the run was scored by."""
        return self.facts.scoring

    def to_json(self) -> str:
        """Indented JSON, floats unrounded, null where a number is not finite."""
        plain = {**to_plain(self), "facts": facts_json.to_json(self.facts)}
        return json.dumps(null_where_not_finite(plain), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> RunRecord:
        """Read a record that this version or an earlier one wrote.

        Args:
            text: content of run.json.
            source: name of the text in errors.

        Returns:
            The record.

        Raises:
            DataError: if the text is not a record, or a newer version wrote it.
        """
        try:
            plain = json.loads(text)
            version = int(plain["schema_version"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"{source}: expected the record of a run (run.json), {_found(error)}; {_INSTEAD}") from error
        if version > SCHEMA_VERSION:
            raise DataError(f"{source}: written by a newer version (schema {version}, known {SCHEMA_VERSION}); update rag_eval.")
        try:
            plain["estimates"] = {name: _nan_for_null(estimate) for name, estimate in plain["estimates"].items()}
            plain["facts"] = facts_json.grouped(plain["facts"], plain["estimates"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{source}: expected the record of a run (run.json), {_found(error)}; {_INSTEAD}") from error
        try:
            return from_plain(cls, plain)
        except ValidationError as error:
            raise DataError(f"{source}: {_misfit(error)}; {_INSTEAD}") from error


@dataclass(frozen=True)
class RunResult:
    """One finished run: where it is kept and what it measured."""

    directory: str
    run_id: str
    status: str
    estimates: Mapping[str, Estimate]
    facts: RunFacts
    spends: Mapping[str, Spend]  # by stage
    cached: bool  # an earlier identical run was returned

    @property
    def scoring(self) -> Scoring:
        """What the run was scored by."""
        return self.facts.scoring


_INSTEAD = "delete that folder and make the run again, or give another one."


def _found(error: Exception) -> str:
    """What is wrong with a text that has not the outline of a record."""
    match error:
        case KeyError():
            return f"found no {error.args[0]!r} in it"
        case json.JSONDecodeError():
            return f"found text that is no JSON (line {error.lineno}: {error.msg})"
        case UnicodeDecodeError():
            return "found bytes that are no UTF-8"
        case RecursionError():
            return "found JSON that is nested too deeply"
    return "found JSON of another kind"


def _misfit(error: ValidationError) -> str:
    """The first field that does not fit, by its place in run.json, what was expected and what was found."""
    first = error.errors(include_url=False)[0]
    place, *inner = (str(one) for one in first["loc"] or ("the record",))
    where = ".".join([place, *(inner[1:] if place == "facts" and inner[:1] and inner[0] in facts_json.GROUPS else inner)])
    if first["type"] == "missing":
        return f"expected the field {where}, which is missing"
    expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{where}: expected {expected}, found {_short(first['input'])}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nan_for_null(estimate: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in estimate.items()}
