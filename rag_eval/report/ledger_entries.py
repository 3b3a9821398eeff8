"""What the runs of an experiment used up, in physical units: by arm and stage, trials and failed runs too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag_eval.cost.ledger import Entry, Stage
from rag_eval.record.run_record import RunRecord, Status
from rag_eval.report.warnings import is_recorded, is_same_study, recipe
from rag_eval.types import Spend

STAGES: Mapping[str, Stage] = {
    "learn": "learn",
    "load": "load",
    "answer": "evaluate",
    "probe": "probe",
    "update": "update",
    "data_generation": "data_generation",
}
WRITING = "lessons"  # stands for the arm where several share what was written


def entries(experiment: Sequence[RunRecord], compared: Sequence[RunRecord]) -> list[Entry]:
    """Every stage of every run and of every attempt that did not finish; recorded answers were spent elsewhere.

    A finished run that stands in several experiments counts where it was made first; training data that several runs learned from are one
    entry.
    """
    found = []
    seen: set[str] = set()
    written: dict[str, Entry] = {}
    for record in experiment:
        if is_recorded(record):
            continue
        searched = any(is_trial(record, one) for one in compared) and record.run_id not in {one.run_id for one in compared}
        for id, status, spends in _spent(record):
            if id in seen:
                continue
            seen.add(id)
            own = {name: spend for name, spend in spends.items() if name != "data_generation"}
            found += [Entry(id, record.mode, STAGES[name], status, searched, spend) for name, spend in own.items()]
            if len(own) < len(spends):
                spend = spends["data_generation"]
                entry = Entry(written_id(record), WRITING, "data_generation", "FINISHED", False, spend, is_hosted(record))
                written.setdefault(entry.run_id, entry)
    return [*written.values(), *found]


def _spent(record: RunRecord) -> list[tuple[str, Status, Mapping[str, Spend]]]:
    """What each attempt of a run spent; those that did not finish are told apart by their experiment."""
    here = f"{record.experiment}/{record.run_id}"
    id = record.run_id if record.status == "FINISHED" else here
    return [(id, record.status, record.spends), *((f"{here}#{at}", "KILLED", spends) for at, spends in enumerate(record.attempts))]


def written_id(record: RunRecord) -> str:
    """What the written training data of a run are called in a ledger; "" where it has none."""
    written = record.facts.data.written
    return "" if written is None else f"{WRITING} {written.id}"


def is_hosted(record: RunRecord) -> bool:
    """Whether its training data were written by a service that sells tokens."""
    written = record.facts.data.written
    return written is not None and written.is_hosted


def is_trial(record: RunRecord, of: RunRecord) -> bool:
    """Whether a run searched for the settings of another: the same arm and study with other settings, or asked the dev questions."""
    if record.mode != of.mode or record.facts.comparison.base_model != of.facts.comparison.base_model:
        return False
    is_other = recipe(record) != recipe(of) and is_same_study(record, of)
    return is_other or record.facts.provenance.choices.get("split") == "dev" != of.facts.provenance.choices.get("split")


def n_silent(experiment: Sequence[RunRecord]) -> int:
    """How many runs and attempts ended without a word of what they spent."""
    return sum((record.status != "FINISHED" and not record.spends) + sum(not spends for spends in record.attempts) for record in experiment)
