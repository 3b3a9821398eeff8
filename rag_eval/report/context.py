"""What a comparison is about, and what its sections share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag_eval.record.load import RecordedRun
from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import labels, recorded
from rag_eval.report.contrast import Arm, Declared, pairs
from rag_eval.report.fellows import fellows
from rag_eval.report.form import right_by
from rag_eval.report.judgement import Judgement, judgements, read_beside
from rag_eval.report.knowledge_gain import MODES, Gained, knowledge_gained
from rag_eval.report.paired import Questions, shared
from rag_eval.report.priced_arms import PricedArm, Terms, priced_arm
from rag_eval.report.table import Table
from rag_eval.score.scoring import Scoring, scoring_of


@dataclass(frozen=True)
class ReportContext:
    """The runs that are compared and what is claimed of them; everything else is computed from these when it is first asked for."""

    runs: Sequence[RecordedRun]
    declared: Declared
    terms: Sequence[Terms] = ()  # by which answers are priced, each in turn

    @property
    def measure(self) -> str:
        """The score that was declared."""
        return self.declared.better.name

    @cached_property
    def records(self) -> list[RunRecord]:
        """Of the runs, in their order."""
        return [run.record for run in self.runs]

    @cached_property
    def arms(self) -> list[Arm]:
        """The runs with their names in the report."""
        return [Arm(label, run) for label, run in zip(labels(self.records), self.runs, strict=True)]

    @cached_property
    def pairs(self) -> list[tuple[Arm, Arm]]:
        """Every two arms, in order."""
        return pairs(self.arms)

    @cached_property
    def scoring(self) -> Scoring:
        """What the runs were scored by."""
        return scoring_of(*self.records)

    def label(self, measure: str) -> str:
        """What a reader calls a measure."""
        return self.scoring.label(measure)

    @cached_property
    def asked(self) -> Questions:
        """The questions that every run was asked."""
        return shared(self.runs)

    @cached_property
    def _recorded(self) -> tuple[list[RunRecord], int]:
        return recorded({run.folder.parent.resolve() for run in self.runs})

    @property
    def experiment(self) -> list[RunRecord]:
        """Every run of the experiments of these runs, in whatever state, oldest first."""
        return self._recorded[0]

    @property
    def n_old(self) -> int:
        """How many runs beside these an earlier version recorded, which say too little."""
        return self._recorded[1]

    @cached_property
    def study(self) -> Mapping[str, Arm]:
        """The arms by mode that tell what was gained: of these runs, else of their experiments."""
        return fellows(self.arms, MODES)

    @property
    def closed_book(self) -> Arm | None:
        """What the base model says without passages; None = it was not run."""
        return self.study.get("closed_book")

    @cached_property
    def judged(self) -> list[Judgement]:
        """The verdict on every pair."""
        return judgements(self.arms, self.declared)

    @cached_property
    def gained(self) -> Gained | None:
        """What was gained by fine-tuning and by retrieval, where that can be told."""
        return knowledge_gained(self.study)

    @cached_property
    def by(self) -> str:
        """The score that sections below the verdict are by: the declared one, or the lenient one where exact match measures form."""
        return right_by(self.records, self.measure)

    @cached_property
    def share(self) -> str:
        """The same where a share of right answers is needed: in [0, 1], and more of it is better."""
        return self.by if self.scoring.of(self.by).is_share else right_by(self.records, self.scoring.primary)

    @cached_property
    def right(self) -> str:
        """The score that is 1 for a right answer, of these runs and of the closed book."""
        closed_book = [self.closed_book.run.record] if self.closed_book is not None else []
        return right_by([*self.records, *closed_book], self.scoring.primary)

    @cached_property
    def priced(self) -> list[tuple[Terms, list[PricedArm]]]:
        """What each arm costs under each of the terms, with the scores that tell right answers."""
        is_of_answers = self.scoring.judges_answers(self.measure) and self.scoring.of(self.measure).is_share
        first = self.scoring.rests_on(self.measure) if is_of_answers else self.scoring.primary
        scores = list(dict.fromkeys((first, *read_beside(self.arms, first))))
        return [(terms, [priced_arm(arm, self.experiment, terms, scores) for arm in self.arms]) for terms in self.terms]


Section = Callable[[ReportContext], Sequence[Table]]
