"""The table and where it comes from as Markdown; every text is inert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rag_eval.record.run_record import RunRecord
from rag_eval.report.markdown import escape, markdown_of
from rag_eval.report.table import Table
from rag_eval.score.scoring import scoring_of

READING = """Brackets hold 95 % intervals over questions. Exact match, contains (a gold answer stands in the answer) and F1 are of
answerable questions; exact match also asks for the form of the gold answers, contains rewards long answers: read them together.
Seconds are wall time a question, its share of a batch; "cached" seconds were spent by an earlier run, which this one builds on."""


def summary(tables: Sequence[Table], records: Sequence[RunRecord], notes: Sequence[str], pictures: Mapping[str, str]) -> str:
    """The whole of summary.md.

    Args:
        tables: the last one has a line an arm.
        records: of the arms.
        notes: what to beware of.
        pictures: what each shows, by its path from the file.
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
    facts = [record.facts for record in records]
    comparisons = [one["comparison"] for one in facts]
    return {
        "commit": _values(f"{one['git']['commit'] or 'unknown'}{' with changes' if one['git']['dirty'] else ''}" for one in facts),
        "hardware": _values(hardware(record) for record in records),
        "dataset": _values(f"{one['dataset_name']} (sha256 {one['dataset']})" for one in comparisons),
        "primary score": _values(scoring_of(record).label(scoring_of(record).primary) for record in records),
        "base model": _values(_base_model(record) for record in records if record.facts["comparison"]["base_model"] is not None),
        "decoding": _values(one["decoding"] for one in comparisons if one["base_model"] is not None),
    }


def _base_model(record: RunRecord) -> str:
    name = str(record.facts["comparison"]["base_model"])
    return f"{name} ({record.base_weights})" if record.base_weights else name


def hardware(record: RunRecord) -> str:
    """The machine of a run in a few words."""
    machine = record.facts["hardware"]
    return f"{machine.get('gpu', machine['device'])}; {machine['cpu']}, {machine['n_cores']} cores"


def _values(values: Iterable[object]) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values)) or "none"
