"""Which runs these are."""

from __future__ import annotations

from rag_eval.report.context import ReportContext
from rag_eval.report.summary import hardware
from rag_eval.report.table import Column, Table

HEADER = tuple(Column(title, kind="text") for title in ("arm", "directory", "dataset", "seed", "started", "commit", "machine"))


def tables(context: ReportContext) -> list[Table]:
    """One line an arm."""
    rows = []
    for arm in context.arms:
        record, facts = arm.run.record, arm.run.record.facts
        git = facts.provenance.git
        commit = f"{str(git.commit)[:12]}{' with changes' if git.dirty else ''}"
        where = (str(arm.run.folder), facts.comparison.dataset_name, facts.provenance.seed)
        rows.append((arm.label, *where, record.started, commit, hardware(record)))
    return [Table("Runs", "", HEADER, tuple(rows))]
