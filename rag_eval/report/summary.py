"""The table and where it comes from as Markdown; every text is inert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from rag_eval.record.run_record import RunRecord
from rag_eval.report.markdown import escape
from rag_eval.report.table import Table

READING = """Brackets hold 95 % intervals over questions. EM (exact match), contains (a gold answer stands in the answer) and F1 are of
answerable questions; EM also asks for the form of the gold answers, contains rewards long answers: read them together.
Seconds are wall time a question, its share of a batch; "cached" seconds were spent by an earlier run, which this one builds on."""


def summary(table: Table, records: Sequence[RunRecord], notes: Sequence[str], sections: Sequence[str], figures: Sequence[str]) -> str:
    """The whole of summary.md.

    Args:
        table: one line an arm.
        records: of the arms.
        notes: what to beware of.
        sections: tables to begin with, as Markdown.
        figures: paths from the file.
    """
    titles = ["arm", *(column.title for column in table.columns)]
    rows = [[line.title, *(cell.text() for cell in line.cells)] for line in table.lines]
    parts = [
        "# Summary",
        "\n".join(f"- {name}: {escape(value)}" for name, value in _provenance(records).items()),
        *sections,
        *(["## Arms"] if sections else []),
        "\n".join([_row(titles), _row(["---"] * len(titles), is_text=False), *(_row(row) for row in rows)]),
        READING,
        *(f"**Note:** {escape(note)}" for note in notes),
        *(f"![{PurePosixPath(figure).stem} by arm]({figure})" for figure in figures),
    ]
    return "\n\n".join(parts) + "\n"


def _row(cells: Sequence[str], is_text: bool = True) -> str:
    return "| " + " | ".join(escape(cell) if is_text else cell for cell in cells) + " |"


def _provenance(records: Sequence[RunRecord]) -> dict[str, str]:
    comparisons = [record.facts.comparison for record in records]
    return {
        "commit": _values(record.facts.provenance.git for record in records),
        "hardware": _values(hardware(record) for record in records),
        "dataset": _values(f"{one.dataset_name} (sha256 {one.dataset})" for one in comparisons),
        "primary score": _values(one.primary for one in comparisons),
        "base model": _values(_base_model(record) for record in records if record.facts.comparison.base_model is not None),
        "decoding": _values(one.decoding for one in comparisons if one.base_model is not None),
    }


def _base_model(record: RunRecord) -> str:
    name, weights = record.facts.comparison.base_model, record.facts.provenance.base_weights
    return str(name) if weights is None else f"{name} ({weights})"


def hardware(record: RunRecord) -> str:
    """The machine of a run in a few words."""
    machine = record.facts.provenance.hardware
    return f"{machine.gpu or machine.device}; {machine.cpu}, {machine.n_cores} cores"


def _values(values: Iterable[object]) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values)) or "none"
