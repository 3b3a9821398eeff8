"""Where numbers come from: command, commit, versions and machine, and which exact matches measure the form of answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rag_eval.record.facts import Hardware
from rag_eval.record.identity import git, hardware, versions
from rag_eval.record.run_record import RunRecord
from rag_eval.report.form import form_reason, keeps_some_form


def provenance(records: Sequence[RunRecord], command: str) -> list[str]:
    """Where numbers come from, a line each: command, commit, versions, machine, and of recorded runs when they ran and which models."""
    recorded = [record.facts.provenance for record in records]
    here = [(one.git, one.versions, one.hardware) for one in recorded] or [(git(), versions(), hardware("cpu"))]
    lines = [
        f"command: {command}",
        f"commit: {_distinct(str(git) for git, _, _ in here)}",
        f"versions: {_distinct(', '.join(f'{name} {found}' for name, found in libraries.items()) for _, libraries, _ in here)}",
        f"hardware: {_distinct(_machine(hardware) for _, _, hardware in here)}",
    ]
    if records:
        started, ended = min(record.started for record in records), max(record.ended or "" for record in records)
        lines.append(f"run: {started} to {ended}, {len(records)} runs")
    models = [name for record in records if (name := record.facts.comparison.base_model) is not None]
    return [*lines, f"model: {_distinct(models, ', ')}"] if models else lines


def _machine(found: Hardware) -> str:
    return f"{found.gpu or found.device}, {found.cpu}, {found.n_cores} cores"


def _distinct(values: Iterable[str], between: str = "; ") -> str:
    return between.join(dict.fromkeys(values))


def form_notes(records: Mapping[str, Sequence[RunRecord]]) -> list[str]:
    """A line for each arm, by name, of which some run's exact match measures the form of its answers: claims about it say nothing."""
    measured = [(name, [one for one in those if keeps_some_form(one) is False]) for name, those in records.items()]
    return [f"{form_reason(name, those[0])}; what is claimed of it by exact match says nothing" for name, those in measured if those]
