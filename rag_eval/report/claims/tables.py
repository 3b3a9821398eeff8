"""The table and its claims as tables of text and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rag_eval.record.serialize import null_where_not_finite
from rag_eval.report.claims.claim import Finding, Number
from rag_eval.report.curve import Curve
from rag_eval.report.table import Cell, Column, Figure, Header, Table

CELLS = (("fine-tuning", "pro"), ("fine-tuning", "con"), ("RAG", "pro"), ("RAG", "con"))
CELLS_READING = """How many claims of each cell were supported, refuted, or neither. A claim is declared with its threshold before the
runs; the tables below have the numbers."""
CLAIMS_READING = """SUPPORTED: the whole 95 % interval is on the claimed side of the threshold, or, of "within", the 90 % interval inside
the margin. REFUTED: none of it is. INCONCLUSIVE: neither, or under ten clusters, or a precondition fails; METRIC-DEPENDENT: exact match and
containment decide differently. MDE: minimum detectable effect, found four times in five by a two-sided test at 5 %, in the unit of the
number. n: questions, and in brackets clusters (entities); deff: design effect; trainings: of the trained arm with the fewest. With one
training the interval is of its questions only, and another training may differ by more."""


def cells_section(findings: Mapping[str, Sequence[Finding]]) -> Table:
    """A row of the table a line: the verdicts of each cell."""
    header: Header = ("feature", *(Column(f"{side}, {kind}", kind="text") for side, kind in CELLS))
    rows = tuple(
        (name, *(_verdicts([one for one in those if (one.claim.side, one.claim.kind) == cell]) for cell in CELLS))
        for name, those in findings.items()
    )
    return Table("The table", CELLS_READING, header, rows)


def _verdicts(findings: Sequence[Finding]) -> str:
    counts = Counter(one.verdict.word for one in findings)
    return ", ".join(f"{n} {word}" for word, n in counts.items()) or "-"


def claims_section(name: str, findings: Sequence[Finding]) -> Table:
    """The claims of a row of the table."""
    texts = {title: Column(title, kind="text") for title in ("claim", "compared", "declared", "verdict")}
    header: Header = (
        *("cell", texts["claim"], texts["compared"], texts["declared"], "found", "MDE", "n (clusters)", "deff", "trainings"),
        texts["verdict"],
    )
    return Table(name, CLAIMS_READING, header, tuple(_claim(one) for one in findings))


def _claim(one: Finding) -> tuple[Cell, ...]:
    claim, number = one.claim, one.number
    reason = f": {one.reason}" if one.reason else ""
    return (
        f"{claim.side}, {claim.kind}",
        claim.claim.text,
        "; given that ".join([claim.contrast, *(given.text for given in claim.given)]),
        declared(one),
        Figure(None) if number is None else Figure(number.mean, number.low, number.high),
        Figure(one.mde),
        _n(number),
        Figure(None if number is None else number.design_effect),
        "-" if one.n_trainings is None else one.n_trainings,
        f"{one.verdict.text}{reason}",
    )


def _n(number: Number | None) -> Cell:
    if number is None:
        return 0
    return str(number.n) if number.n_clusters is None else f"{number.n} ({number.n_clusters})"


def declared(one: Finding) -> str:
    """The threshold in words."""
    claim = one.claim.claim
    unit = "" if one.claim.unit == "share" else f" {one.claim.unit}"
    if claim.direction == "equivalent":
        return f"within {claim.threshold:g} ± {claim.margin:g}{unit}"
    return f"{claim.direction} {claim.threshold:g}{unit}"


def as_data(findings: Mapping[str, Sequence[Finding]], curves: Mapping[str, Sequence[Curve]], measured_on: str) -> dict[str, Any]:
    """The rows of table.json, and what they were measured on; null where a number is not finite."""
    rows = [
        {"name": name, "claims": [_data(one, measured_on) for one in those], "curves": [asdict(curve) for curve in curves[name]]}
        for name, those in findings.items()
    ]
    return dict(null_where_not_finite({"measured_on": measured_on, "rows": rows}))


def _data(one: Finding, measured_on: str) -> dict[str, Any]:
    claim, number = one.claim, one.number
    return {
        "id": claim.id,
        "side": claim.side,
        "kind": claim.kind,
        "statement": claim.claim.text,
        "contrast": claim.contrast,
        "direction": claim.claim.direction,
        "threshold": claim.claim.threshold,
        "margin": claim.claim.margin,
        "unit": claim.unit,
        "source": claim.source,
        "verdict": one.verdict.word,
        "text": one.verdict.text,
        "reason": one.reason,
        "mde": one.mde,
        "n_trainings": one.n_trainings,
        "scope": one.scope,
        "preconditions": [given.text for given in claim.given],
        "number": None if number is None else null_where_not_finite(asdict(number)),
        "measured_on": measured_on,
    }
