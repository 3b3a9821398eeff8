"""The report of the table as one HTML file that stands alone, with its figures as files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.run_record import RunRecord
from rag_eval.report.claims.claim import Finding, Kind, Side
from rag_eval.report.claims.html.answer import SIDES, answer
from rag_eval.report.claims.html.questions import answered
from rag_eval.report.claims.loads import ARMS, Loads
from rag_eval.report.claims.tables import declared
from rag_eval.report.curve import Curve
from rag_eval.report.html.arms import differing_settings, fingerprints, spent
from rag_eval.report.html.line_chart import as_file
from rag_eval.report.html.matrix import Matrix
from rag_eval.report.html.page import environment, limits
from rag_eval.report.html.visible import element_id
from rag_eval.report.line_picture import write_lines
from rag_eval.report.table import NOT_MEASURED, Column, Figure, Table
from rag_eval.score.labels import label_of
from rag_eval.stats.verdict import Word

FIGURES = "figures"
PAGE = "summary.html"
TONES: Mapping[Word, str] = {
    "SUPPORTED": "good",
    "REFUTED": "bad",
    "INCONCLUSIVE": "mid",
    "METRIC-DEPENDENT": "mid",
    "NOT MEASURED": "none",
}
KINDS: tuple[Kind, Kind] = ("pro", "con")
CELLS: tuple[tuple[Side, Kind], ...] = tuple((side, kind) for side in SIDES for kind in KINDS)


@dataclass(frozen=True)
class Summary:
    """What the report is made of."""

    title: str
    measured_on: str
    findings: Mapping[str, Sequence[Finding]]  # by row of the table
    curves: Mapping[str, Sequence[Curve]]  # by row
    matrix: Matrix
    arms: Mapping[str, RunRecord] = field(default_factory=dict)  # a run of each arm of the matrix
    notes: Sequence[str] = ()  # where the numbers come from, and what failed
    loads: Loads | str = "no side was run"  # which side costs less at which load, or why that is not known
    tables: Sequence[Table] = ()  # further ones, after the conditions


def html_of(summary: Summary) -> str:
    """The page.

    Args:
        summary: what it is made of.

    Returns:
        HTML without a script and without anything from elsewhere.
    """
    made = environment(Path(__file__).parent / "templates")
    made.filters["label"] = label_of
    made.globals.update(
        cell=_cell,
        claim_id=_claim_id,
        declared=declared,
        found=found,
        size=size,
        tints=dict(zip(ARMS, ("first", "second"), strict=True)),
        tone_of=TONES.__getitem__,
        CELLS=CELLS,
    )
    return made.get_template("summary.html").render(
        summary=summary,
        answer=answer(summary.findings, summary.measured_on),
        answered=answered(summary.findings),
        not_measured=not_measured(summary.findings),
        tables=[one for one in (*(make(summary.arms) for make in (differing_settings, spent, fingerprints)), *summary.tables) if one.rows],
        limit=limits(summary.matrix),
    )


def write_summary(summary: Summary, out: Path) -> list[Path]:
    """Write the page, and each figure as SVG and PNG in the folder `figures` beside it.

    Args:
        summary: what it is made of.
        out: folder.

    Returns:
        The page and the folder of figures, if there are any.

    Raises:
        EnvironmentFault: if the folder cannot be written.
    """
    page, folder = out / PAGE, out / FIGURES
    curves = [curve for those in summary.curves.values() for curve in those]
    with writing(out):
        for curve in curves:
            name = element_id(curve.id)
            write_lines(curve, folder / f"{name}.png")
            write_atomically(folder / f"{name}.svg", as_file(curve))
    write_atomically(page, html_of(summary))
    return [page, folder] if curves else [page]


def not_measured(findings: Mapping[str, Sequence[Finding]]) -> Table:
    """Claims without a number, with the reason.

    Args:
        findings: of each row.

    Returns:
        The table; without lines where every claim was measured.
    """
    rows = tuple(
        (one.claim.id, name, one.claim.claim.text, one.reason)
        for name, those in findings.items()
        for one in those
        if one.verdict.word == "NOT MEASURED"
    )
    header = tuple(Column(title, kind="text") for title in ("claim", "row", "what is claimed", "why"))
    return Table("Claims that were not measured", "", header, rows)


def found(one: Finding) -> str:
    """The number of a claim with its interval and unit; "not measured" where there is none."""
    if one.number is None:
        return NOT_MEASURED
    unit = "" if one.claim.unit == "share" else f" {one.claim.unit}"
    return f"{Figure(one.number.mean, one.number.low, one.number.high)}{unit}"


def size(one: Finding) -> str:
    """On how many questions and clusters a number rests, with its design effect; "" where there is no number."""
    return ", ".join(_sizes(one))


def _sizes(one: Finding) -> Iterator[str]:
    if one.number is None:
        return
    yield f"n {one.number.n:,}"
    if one.number.n_clusters is not None:
        yield f"{one.number.n_clusters:,} clusters"
    if one.number.design_effect is not None:
        yield f"design effect {one.number.design_effect:.2f}"
    if one.mde is not None:
        yield f"minimum detectable effect {Figure(one.mde)}"
    if one.scope:
        yield one.scope


def _cell(findings: Sequence[Finding], side: Side, kind: Kind) -> list[Finding]:
    return [one for one in findings if (one.claim.side, one.claim.kind) == (side, kind)]


def _claim_id(one: Finding) -> str:
    return element_id(one.claim.id, "claim-")
