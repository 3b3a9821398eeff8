"""The declared comparison of runs: which may be compared, what is claimed of them, the verdicts, and what to beware of.

These are values; rag_eval.report.compare writes them down, and rag_eval.api hands them to a program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rag_eval.errors import UserError
from rag_eval.record.run_record import RunRecord
from rag_eval.report.contrast import Arm, Declared, declare, of_questions
from rag_eval.report.fellows import fellows
from rag_eval.report.gained import MODES, Gained, knowledge_gained
from rag_eval.report.guards import cluster_notes, notes, prompt_notes
from rag_eval.report.judgement import Judgement, judgements, sentence
from rag_eval.report.recorded_run import RecordedRun
from rag_eval.report.runs import labels, mismatches, recorded
from rag_eval.score.scoring import Scoring, scoring_of


@dataclass(frozen=True)
class DeclaredComparison:
    """What is said of the declared claims, and what a reader must know beside it."""

    arms: Sequence[Arm]
    declared: Declared
    judgements: Sequence[Judgement]  # one a pair of arms
    gained: Gained | None  # None = arms that tell what was learned are missing
    experiment: Sequence[RunRecord]  # every run of the arms' experiments, in whatever state
    closed_book: Arm | None
    verdicts: list[str]  # a sentence for each pair, after those on what was gained where that comes first
    notes: list[str]


def check_comparable(runs: Sequence[RecordedRun], allow_mismatch: bool) -> list[str]:
    """A note for each field in which runs differ that should not.

    Args:
        runs: at least two.
        allow_mismatch: whether they are compared all the same.

    Raises:
        UserError: one of them is there twice, or they differ in such a field and that is not allowed.
    """
    if len({run.record.run_id for run in runs}) < len(runs):
        raise UserError("expected different runs, got one of them twice.")
    differing = mismatches([run.record for run in runs])
    if differing and not allow_mismatch:
        raise UserError(f"{differing[0]}: these runs cannot be compared. allow_mismatch=true does so all the same and marks the report.")
    return [f"MISMATCH, compared all the same: {one}" for one in differing]


def declaration(runs: Sequence[RecordedRun], measure: str, threshold: float, margin: float) -> Declared:
    """What is claimed of every pair.

    Args:
        runs: that are compared.
        measure: the score that the claims are about; "" = the primary score of the runs.
        threshold: by how much the second must be better, at least 0.
        margin: what counts as no difference, above 0.

    Raises:
        UserError: nothing can be claimed about this measure, or the threshold or the margin is out of range.
    """
    if not (math.isfinite(threshold) and threshold >= 0):
        raise UserError(f"threshold: expected a number of at least 0, got {threshold:g}.")
    if not (math.isfinite(margin) and margin > 0):
        raise UserError(f"margin: expected a number above 0, got {margin:g}.")
    scoring = scoring_of(*(run.record for run in runs))
    measure = measure or scoring.primary
    _check_measure(runs, measure, scoring)
    return declare(measure, threshold, margin, scoring.of(measure).better)


def declared_comparison(runs: Sequence[RecordedRun], declared: Declared, first_notes: Sequence[str] = ()) -> DeclaredComparison:
    """The verdicts on every pair of these runs.

    Args:
        runs: that may be compared.
        declared: the claims.
        first_notes: what must be noted before anything else.
    """
    records = [run.record for run in runs]
    arms = [Arm(label, run) for label, run in zip(labels(records), runs, strict=True)]
    experiment, n_old = recorded({run.folder.parent.resolve() for run in runs})
    study = fellows(arms, MODES)
    closed_book, gained = study.get("closed_book"), knowledge_gained(study)
    judged = judgements(arms, declared)
    of_clusters = cluster_notes([one.judged.contrast for one in judged])
    labelled = [(arm.label, arm.run.record) for arm in arms]
    said = [*first_notes, *notes(labelled, experiment), *of_clusters, *prompt_notes(arms)]
    if n_old:
        said.append(f"{n_old} runs that an earlier version recorded are in no count, no ledger and no cost")
    leading = gained.sentences if gained is not None and gained.leads else ()
    verdicts = [*leading, *map(sentence, judged)]
    return DeclaredComparison(arms, declared, judged, gained, experiment, closed_book, verdicts, said)


def _check_measure(runs: Sequence[RecordedRun], measure: str, scoring: Scoring) -> None:
    known = of_questions(runs)
    if scoring.of(measure).judges == "run":
        raise UserError(f"measure={measure}: is of a run as a whole; python -m rag_eval.report rank={measure} puts runs in order by it.")
    if measure not in known:
        raise UserError(f"measure={measure}: not every run has it of its questions; all have {', '.join(known)}.")
    if scoring.of(measure).better == "neither":
        raise UserError(f"measure={measure}: neither more nor less of it is better, so that nothing can be claimed; choose another.")
