"""Several training seeds of one recipe: what holds of these adapters, and what of the recipe that made them."""

from __future__ import annotations

import numpy as np

from rag_eval.record.load import RecordedRun, read_run
from rag_eval.record.run_directory import finished_in
from rag_eval.report.context import ReportContext
from rag_eval.report.paired import shared
from rag_eval.report.table import Cell, Figure, Table, figure
from rag_eval.report.warnings import siblings
from rag_eval.score.scoring import scoring_of
from rag_eval.stats.seeds_and_questions import two_level


def tables(context: ReportContext) -> list[Table]:
    """The mean over seeds of every arm, with both intervals."""
    measure = context.by
    rows: list[tuple[Cell, ...]] = []
    for arm in context.arms:
        runs = _seeds(arm.run)
        if len(runs) < 2:
            rows.append((arm.label, len(runs), Figure(None, note="needs two seeds"), Figure(None, note="needs two seeds")))
            continue
        questions = shared(runs)
        bounds = scoring_of(*(run.record for run in runs)).of(measure).bounds
        found = two_level(np.stack([run.column(measure, questions.ids) for run in runs]), questions.codes, bounds)
        rows.append(
            (arm.label, len(runs), figure(None if found is None else found.adapter), figure(None if found is None else found.recipe))
        )
    reading = (
        f"Mean of {context.label(measure)} over every seed of the same settings in the experiment. These runs: other questions to the "
        "same runs. The recipe: other questions to other runs of it."
    )
    return [Table("Seeds", reading, ("arm", "seeds", "these runs", "the recipe"), tuple(rows))]


def _seeds(run: RecordedRun) -> list[RecordedRun]:
    """The finished runs that differ from this one in the seed at most; the newest of each seed, this one for its own."""
    found = finished_in([run.folder.parent])
    folders = {record.run_id: folder for folder, record in found}
    known = [record for _, record in found if record.is_comparable]
    chosen = siblings(run.record, sorted(known, key=lambda record: record.ended or ""))
    return [run if one.run_id == run.record.run_id else read_run(folders[one.run_id]) for one in chosen]
