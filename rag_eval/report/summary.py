"""The table and where it comes from as Markdown; every text is inert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rag_eval.record.run_record import RunRecord
from rag_eval.report.markdown import escape, markdown_of
from rag_eval.report.table import Table

READING = """Brackets hold 95 % intervals over questions. Exact match, contains (a gold answer stands in the answer) and F1 are of
answerable questions; exact match also asks for the form of the gold answers, contains rewards long answers: read them together.
Seconds are wall time a question, its share of a batch; "cached" seconds were spent by an earlier run, which this one builds on."""


def summary(tables: Sequence[Table], records: Sequence[RunRecord], notes: Sequence[str], pictures: Mapping[str, str]) -> str:
    """The text of summary.md.

    Args:
        tables: in order; the last one has a row for each arm.
        records: runs of the arms.
        notes: warnings about the numbers.
        pictures: score that each picture shows, by its path relative to the file.

    Returns:
        The Markdown text.
    """
    parts = [
        "# Summary",
        "\n".join(f"- {name}: {escape(value)}" for name, value in _provenance(records).items()),
        *map(markdown_of, tables),
        READING,
        *(f"**Note:** {escape(note)}" for note in notes),
        *(f"![{escape(shown)} by arm]({path})" for path, shown in pictures.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _provenance(records: Sequence[RunRecord]) -> dict[str, str]:
    comparisons = [record.facts.comparison for record in records]
    return {
        "commit": _values(record.facts.provenance.git for record in records),
        "hardware": _values(hardware(record) for record in records),
        "dataset": _values(f"{one.dataset_name} (sha256 {one.dataset})" for one in comparisons),
        "primary score": _values(record.scoring.label(record.scoring.primary) for record in records),
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
