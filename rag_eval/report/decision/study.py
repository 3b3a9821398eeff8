"""A decision about recorded runs: which arms are decided about, and the whole report of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_eval.conf_folder import conf_dir
from rag_eval.errors import UserError
from rag_eval.record.load import find_run, read_run
from rag_eval.record.run_directory import runs_in
from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import finished_runs, latest_per_arm, mismatches, recorded
from rag_eval.report import warnings
from rag_eval.report.contrast import Arm, of_questions
from rag_eval.report.decision.candidate import Candidate
from rag_eval.report.decision.constraints import Constraints
from rag_eval.report.decision.decision import Decision, WinnerMap, answer, decide, winner_map
from rag_eval.report.decision.recorded import RecordedArm, candidate, recorded_arms, why_left_out
from rag_eval.report.decision.tables import hardware_table, map_table, notes_of, sentence, tables
from rag_eval.report.form import right_by
from rag_eval.report.judgement import read_beside
from rag_eval.report.priced_arms import sheet_named
from rag_eval.report.summary import hardware
from rag_eval.report.table import Table
from rag_eval.score.scoring import Scoring, scoring_of

QUERIES = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)  # a day, of the map
UPDATES = (0.1, 1.0, 10.0, 100.0, 1000.0)  # a week


@dataclass(frozen=True)
class Study:
    """The arms that are decided about."""

    arms: Sequence[RecordedArm]
    experiment: Sequence[RunRecord]  # every recorded run of their experiments
    notes: Sequence[str]

    @property
    def records(self) -> list[RunRecord]:
        """Of the arms, one each."""
        return [arm.runs[0].record for arm in self.arms]

    @property
    def shown(self) -> list[Arm]:
        """The same runs with the names of their arms."""
        return [Arm(arm.label, arm.runs[0]) for arm in self.arms]

    @property
    def scoring(self) -> Scoring:
        """What they were scored by."""
        return scoring_of(*self.records)

    def candidates(self, sheet: str, measure: str) -> list[Candidate]:
        """The arms as a sheet of conf/hardware prices them and a score judges them.

        Args:
            sheet: name of the price sheet.
            measure: the score that tells right answers.

        Returns:
            One for each arm.

        Raises:
            UserError: there is no such sheet.
        """
        found = sheet_named(sheet)
        return [candidate(arm, self.experiment, found, measure) for arm in self.arms]


@dataclass(frozen=True)
class Decided:
    """Everything that is printed and written."""

    decision: Decision
    map: WinnerMap
    tables: list[Table]
    notes: list[str]
    sentence: str


def recorded_study(root: Path, experiment: str = "", names: Sequence[str] = (), allow_mismatch: bool = False) -> Study:
    """The arms to decide about.

    Args:
        root: folder of runs.
        experiment: look in this experiment only; "" = in all.
        names: of runs, as `find_run` takes them; () = every arm.
        allow_mismatch: whether runs that may not stand in one table are decided about all the same.

    Returns:
        The arms, with their experiment.

    Raises:
        UserError: there is none, or they may not stand in one table.
    """
    if names:
        found = [read_run(find_run(name, root, experiment)) for name in names]
        records = list({run.record.run_id: run.record for run in found}.values())
        parents = {run.folder.parent.resolve() for run in found}
    else:
        records = latest_per_arm([record for _, record in finished_runs(root, experiment or None)])
        parents = {folder.resolve() for folder in root.glob(experiment or "*") if folder.is_dir()}
    usable, notes = _usable(records)
    differing = mismatches(usable)
    if differing and not allow_mismatch:
        raise UserError(
            f"{differing[0]}; pick one study with experiment=NAME or name the runs, or decide all the same with allow_mismatch=true."
        )
    everything, _ = recorded(parents)
    folders = {record.run_id: folder for folder, record in runs_in(parents)}
    arms = recorded_arms(usable, everything, folders)
    return Study(arms, everything, [*(f"MISMATCH, decided all the same: {one}" for one in differing), *notes])


def decided(study: Study, constraints: Constraints, hardware_name: str, measure: str = "") -> Decided:
    """The whole report.

    Args:
        study: what is decided about.
        constraints: what is asked for.
        hardware_name: of the price sheet.
        measure: the score that tells right answers; "" = the one that the runs are judged by.

    Returns:
        Tables, notes and the answer in a sentence.

    Raises:
        UserError: there is no such sheet, or the measure is not in the runs or no share.
    """
    measure = measure or right_by(study.records, study.scoring.primary)
    _check_measure(measure, study)
    candidates = study.candidates(hardware_name, measure)
    made, loads = decide(candidates, constraints), winner_map(candidates, constraints, QUERIES, UPDATES)
    notes = [
        f"accuracy: the share of right answers, by {study.scoring.label(measure)}, and of questions without an answer by whether the arm "
        "says so",
        *notes_of(made),
        *study.notes,
        *_by_other_score(study, made, hardware_name, measure),
        _prices(study, hardware_name),
        *warnings.notes([(arm.label, arm.run.record) for arm in study.shown], study.experiment),
    ]
    answers = hardware_table(hardware_name, _by_hardware(study, constraints, measure))
    return Decided(made, loads, [*tables(made), answers, map_table(loads)], notes, sentence(made))


def _usable(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """The runs that can be decided about, and why others are left out.

    Args:
        records: of finished runs.

    Returns:
        The runs, and a note for each mode that is left out.

    Raises:
        UserError: if none is left.
    """
    known = [record for record in records if record.is_comparable]
    reasons = {record.run_id: why_left_out(record) for record in known}
    usable = [record for record in known if not reasons[record.run_id]]
    notes = [f"left out: {mode}: {reason}" for mode, reason in dict.fromkeys((one.mode, reasons[one.run_id]) for one in known) if reason]
    if len(known) < len(records):
        notes.append(f"left out: {len(records) - len(known)} runs that an earlier version recorded")
    if not usable:
        raise UserError(f"no arm to decide about ({'; '.join(notes)}); run `python run.py mode=rag` first.")
    return usable, notes


def _check_measure(measure: str, study: Study) -> None:
    scored = of_questions([arm.run for arm in study.shown])
    known = [name for name in scored if study.scoring.of(name).is_share and study.scoring.judges_answers(name)]
    if measure not in known:
        raise UserError(f"measure={measure}: tells no right answers of all these runs; there are {', '.join(known) or 'none'}.")


def _by_hardware(study: Study, constraints: Constraints, measure: str) -> dict[str, str]:
    """The answer at the prices of every sheet."""
    names = sorted(one.stem for one in (conf_dir() / "hardware").glob("*.yaml"))
    return {name: answer(study.candidates(name, measure), constraints).text for name in names}


def _by_other_score(study: Study, made: Decision, hardware_name: str, measure: str) -> list[str]:
    """Whether the answer depends on the score that tells right answers."""
    others = [name for name in read_beside(study.shown, measure) if name != measure]
    found = {name: answer(study.candidates(hardware_name, name), made.constraints) for name in others}
    by = study.scoring.label
    return [
        f"METRIC-DEPENDENT: by {by(name)} in the place of {by(measure)} the answer is: {one.text}"
        for name, one in found.items()
        if one != made.outcome
    ]


def _prices(study: Study, hardware_name: str) -> str:
    """Where prices and times come from."""
    sheet, machines = sheet_named(hardware_name), " and ".join(dict.fromkeys(hardware(record) for record in study.records))
    return (
        f"prices {sheet.name} of {sheet.date}: {sheet.source} Seconds and p95 are those of {machines}, and hold elsewhere as far as the "
        "machine that is paid is like it; p95 is of requests that come one at a time, so that none waits"
    )
