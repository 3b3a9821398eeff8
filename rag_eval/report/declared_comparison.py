"""The declared comparison of runs: which may be compared, what is claimed of them, the verdicts, and what to beware of.

These are values; rag_eval.report.commands.compare writes them down, and rag_eval.api hands them to a program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag_eval.errors import UserError
from rag_eval.record.load import RecordedRun
from rag_eval.record.selection import mismatches
from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Declared, declare, of_questions
from rag_eval.report.judgement import sentence
from rag_eval.report.warnings import cluster_notes, notes, prompt_notes
from rag_eval.score.scoring import Scoring, scoring_of


def check_comparable(runs: Sequence[RecordedRun], allow_mismatch: bool) -> list[str]:
    """Check that runs agree in the fields that compared runs must share.

    Args:
        runs: at least two.
        allow_mismatch: whether runs that differ in such a field are compared nevertheless.

    Returns:
        A note for each field that differs.

    Raises:
        UserError: if a run is there twice, or runs differ in such a field and that is not allowed.
    """
    if len({run.record.run_id for run in runs}) < len(runs):
        raise UserError("expected different runs, got one of them twice.")
    differing = mismatches([run.record for run in runs])
    if differing and not allow_mismatch:
        raise UserError(f"{differing[0]}: these runs cannot be compared. allow_mismatch=true does so all the same and marks the report.")
    return [f"MISMATCH, compared all the same: {one}" for one in differing]


def declaration(runs: Sequence[RecordedRun], measure: str, threshold: float, margin: float) -> Declared:
    """The claims that are tested on every pair of runs.

    Args:
        runs: the compared runs.
        measure: tracked name of the compared score; "" = the primary score of the runs.
        threshold: difference by which the second run must be better, at least 0.
        margin: largest difference that counts as none, above 0.

    Returns:
        The claims.

    Raises:
        UserError: if nothing can be claimed about this measure, or the threshold or the margin is out of range.
    """
    if not (math.isfinite(threshold) and threshold >= 0):
        raise UserError(f"threshold: expected a number of at least 0, got {threshold:g}.")
    if not (math.isfinite(margin) and margin > 0):
        raise UserError(f"margin: expected a number above 0, got {margin:g}.")
    scoring = scoring_of(*(run.record for run in runs))
    measure = measure or scoring.primary
    _check_measure(runs, measure, scoring)
    return declare(measure, threshold, margin, scoring.of(measure).better)


def verdicts(context: ReportContext) -> list[str]:
    """A sentence for each pair, after those on what was gained where that comes first."""
    gained = context.gained
    leading = gained.sentences if gained is not None and gained.leads else ()
    return [*leading, *map(sentence, context.judged)]


def caveats(context: ReportContext) -> list[str]:
    """What a reader of the verdicts must know beside them."""
    labelled = [(arm.label, arm.run.record) for arm in context.arms]
    of_clusters = cluster_notes([one.judged.contrast for one in context.judged])
    said = [*notes(labelled, context.experiment), *of_clusters, *prompt_notes(context.arms)]
    if context.n_old:
        said.append(f"{context.n_old} runs that an earlier version recorded are in no count, no ledger and no cost")
    return said


def _check_measure(runs: Sequence[RecordedRun], measure: str, scoring: Scoring) -> None:
    known = of_questions(runs)
    if scoring.of(measure).judges == "run":
        raise UserError(f"measure={measure}: is of a run as a whole; python -m rag_eval.report rank={measure} puts runs in order by it.")
    if measure not in known:
        raise UserError(f"measure={measure}: not every run has it of its questions; all have {', '.join(known)}.")
    if scoring.of(measure).better == "neither":
        raise UserError(f"measure={measure}: neither more nor less of it is better, so that nothing can be claimed; choose another.")
