"""Two or more recorded runs against each other: every number with its interval, every guard, one verdict.

    python -m rag_eval.report compare RUN_A RUN_B [RUN_C ...] [key=value ...]

A run is given by its mode (the newest one counts), its directory or the beginning of its id. Keys: experiment=NAME (where
to look), measure=answer/f1 (the score compared; without it the one that the runs are judged by), threshold=0 and margin=0.02
(declared for the verdict), hardware=NAME with utilisation=, queries=, updates=, hours= (costs in money; without
it in seconds of the machine), runs=outputs, out=reports, allow_mismatch=false. Computes from what was recorded, runs nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rag_eval.errors import UserError
from rag_eval.record.disk import write_atomically, writing
from rag_eval.record.run_record import RunRecord
from rag_eval.report.accuracy import (
    attribution_section,
    decomposition_section,
    exploratory_section,
    flips_section,
    kitagawa_section,
    means_section,
    verdict_section,
)
from rag_eval.report.contrast import Arm, Declared, declare, of_questions
from rag_eval.report.fellows import fellows
from rag_eval.report.form import right_by
from rag_eval.report.gained import MODES, Gained, knowledge_gained
from rag_eval.report.guards import cluster_notes, notes, prompt_notes
from rag_eval.report.judgement import judgements, read_beside
from rag_eval.report.latency import latency_sections
from rag_eval.report.ledger import energy_section, ledger_section
from rag_eval.report.markdown import inert
from rag_eval.report.options import Options, one_number, parsed, utilisations
from rag_eval.report.recipes import recipe_section
from rag_eval.report.recorded_run import RecordedRun, find_run, read_run
from rag_eval.report.runs import labels, mismatches, recorded
from rag_eval.report.sections import Section, as_json, as_markdown, show
from rag_eval.report.spending import Terms, break_even_section, cost_section, machine_seconds, priced_arm, sheet_named
from rag_eval.report.strata import known_section, strata_section
from rag_eval.report.summary import hardware
from rag_eval.report.whole_runs import whole_runs_section
from rag_eval.score.estimate import SHARE
from rag_eval.score.scoring import Scoring, scoring_of

FILE_WIDTH = 200  # where the output is no terminal
DEFAULTS = {
    "measure": "",  # the primary score of the runs
    "threshold": "0",
    "margin": "0.02",
    "hardware": "",
    "utilisation": "",
    "queries": "",
    "updates": "",
    "hours": "",
    "experiment": "",
    "runs": "outputs",
    "out": "reports",
    "allow_mismatch": "false",
}
HORIZON = ("utilisation", "queries", "updates", "hours")


@dataclass(frozen=True)
class Comparison:
    """Everything that is printed and written."""

    sections: list[Section]
    notes: list[str]
    verdicts: list[str]  # a sentence for each pair


def compare(argv: Sequence[str]) -> None:
    """Compare the runs on the command line.

    Raises:
        UserError: a run is not there or not finished, runs may not be compared, or an option is wrong.
    """
    names, options = parsed(argv, DEFAULTS)
    if len(names) < 2:
        raise UserError("expected at least two runs: python -m rag_eval.report compare RUN_A RUN_B, as in compare rag finetune.")
    terms = _terms(options)
    threshold, margin = _thresholds(options)
    runs = [read_run(find_run(name, Path(options["runs"]), options["experiment"])) for name in names]
    if len({run.record.run_id for run in runs}) < len(runs):
        raise UserError("expected different runs, got one of them twice.")
    differing = mismatches([run.record for run in runs])
    if differing and options["allow_mismatch"] != "true":
        raise UserError(f"{differing[0]}: these runs cannot be compared. allow_mismatch=true does so all the same and marks the report.")
    scoring = scoring_of(*(run.record for run in runs))
    measure = options["measure"] or scoring.primary
    _check_measure(runs, measure, scoring)
    declared = declare(measure, threshold, margin, scoring.of(measure).better)
    made = comparison(runs, declared, terms, [f"MISMATCH, compared all the same: {one}" for one in differing])
    _write(made, Path(options["out"]))


def comparison(runs: Sequence[RecordedRun], declared: Declared, terms: Sequence[Terms], first_notes: Sequence[str] = ()) -> Comparison:
    """Every section of the report."""
    measure = declared.better.name
    records = [run.record for run in runs]
    scoring = scoring_of(*records)
    arms = [Arm(label, run) for label, run in zip(labels(records), runs, strict=True)]
    experiment, n_old = recorded({run.folder.parent.resolve() for run in runs})
    study = fellows(arms, MODES)
    closed_book = study.get("closed_book")
    judged = judgements(arms, declared)
    of_pairs, verdicts = verdict_section(judged, declared)
    gained = knowledge_gained(study)
    if gained is not None:
        verdicts = [*gained.sentences, *verdicts] if gained.leads else verdicts
    by = right_by(records, measure)
    share = by if scoring.of(by).bounds == SHARE else right_by(records, scoring.primary)
    right = right_by([*records, *([closed_book.run.record] if closed_book is not None else [])], scoring.primary)
    sections = [
        *_first(of_pairs, gained),
        runs_section(arms),
        means_section(arms),
        recipe_section(arms, by),
        decomposition_section(arms, share),
        kitagawa_section(arms, share),
        flips_section(arms, closed_book, share),
        strata_section(arms, by),
        known_section(arms, closed_book, by, right),
        attribution_section(arms, closed_book, right),
        *latency_sections(arms),
        *(section for one in terms for section in _cost_sections(arms, experiment, one, measure, scoring)),
        energy_section(arms),
        ledger_section(experiment, records),
        exploratory_section(arms, [name for one in judged for name in one.said]),
    ]
    labelled = [(arm.label, arm.run.record) for arm in arms]
    contrasts = [one.judged.contrast for one in judged]
    said = [*first_notes, *notes(labelled, experiment), *cluster_notes(contrasts), *prompt_notes(arms), *_instead(measure, by, share)]
    if n_old:
        said.append(f"{n_old} runs that an earlier version recorded are in no count, no ledger and no cost")
    return Comparison(sections, said, verdicts)


def _first(of_pairs: Section, gained: Gained | None) -> list[Section]:
    """What the report begins with: what was gained, where that is what it should be read by."""
    if gained is None:
        return [of_pairs]
    return [gained.section, of_pairs] if gained.leads else [of_pairs, gained.section]


def _instead(measure: str, by: str, share: str) -> list[str]:
    """Where the sections below the verdict use another score than the one declared."""
    if by != measure:
        return [f"{measure} measures the form of some arm's answers: the sections below the verdict are by {by}"]
    return [f"{measure} is no share: where answers and differences come from, and rescue and harm, are by {share}"] if share != by else []


def _cost_sections(arms: Sequence[Arm], experiment: Sequence[RunRecord], terms: Terms, measure: str, scoring: Scoring) -> list[Section]:
    first = scoring.rests_on(measure) if scoring.of(measure).is_share else scoring.primary
    whole = whole_runs_section([arm.label for arm in arms], [arm.run for arm in arms], terms)
    priced = [priced_arm(arm, experiment, terms, list(dict.fromkeys((first, *read_beside(arms, first))))) for arm in arms]
    return [cost_section(priced, terms), break_even_section(priced, terms), *([] if whole is None else [whole])]


def runs_section(arms: Sequence[Arm]) -> Section:
    """Which runs these are."""
    rows = []
    for arm in arms:
        record, facts = arm.run.record, arm.run.record.facts
        git = facts.provenance.git
        commit = f"{str(git.commit)[:12]}{' with changes' if git.dirty else ''}"
        where = (str(arm.run.folder), facts.comparison.dataset_name, facts.provenance.seed)
        rows.append((arm.label, *where, record.started, commit, hardware(record)))
    return Section("Runs", "", ("arm", "directory", "dataset", "seed", "started", "commit", "machine"), tuple(rows))


def _check_measure(runs: Sequence[RecordedRun], measure: str, scoring: Scoring) -> None:
    known = of_questions(runs)
    if scoring.of(measure).judges == "run":
        raise UserError(f"measure={measure}: is of a run as a whole; python -m rag_eval.report rank={measure} puts runs in order by it.")
    if measure not in known:
        raise UserError(f"measure={measure}: not every run has it of its questions; all have {', '.join(known)}.")
    if scoring.of(measure).better == "neither":
        raise UserError(f"measure={measure}: neither more nor less of it is better, so that nothing can be claimed; choose another.")


def _thresholds(options: Options) -> tuple[float, float]:
    threshold, margin = one_number(options, "threshold"), one_number(options, "margin")
    if margin <= 0:
        raise UserError(f"margin: expected a number above 0, got {options['margin']!r}.")
    return threshold, margin


def _terms(options: Options) -> list[Terms]:
    """One for each utilisation; without hardware, seconds of the machine over a horizon of questions alone."""
    if not options["hardware"]:
        given = [name for name in HORIZON if options[name]]
        if given and set(given) != {"queries", "updates", "hours"}:
            raise UserError(f"{given[0]}: is of a horizon; give queries=, updates= and hours=, and hardware= with utilisation= for money.")
        if not given:
            return [Terms(machine_seconds(), 1.0, 0.0, None, 0.0)]
        return [Terms(machine_seconds(), 1.0, one_number(options, "hours"), _asked(options), one_number(options, "updates"))]
    sheet = sheet_named(options["hardware"])
    missing = [name for name in HORIZON if not options[name]]
    if missing:
        raise UserError(
            f"hardware={options['hardware']} needs {', '.join(f'{name}=' for name in missing)} too: a cost without them says nothing."
        )
    shares = utilisations(options)
    return [Terms(sheet, share, one_number(options, "hours"), _asked(options), one_number(options, "updates")) for share in shares]


def _asked(options: Options) -> float:
    queries = one_number(options, "queries")
    if queries <= 0:
        raise UserError(f"queries: expected a number above 0, got {options['queries']!r}.")
    return queries


def _write(made: Comparison, out: Path) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    show(made.sections, made.notes, console)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    plain = {"schema_version": 1, "verdicts": made.verdicts, "notes": made.notes, "sections": as_json(made.sections)}
    write_atomically(out / "compare.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
    write_atomically(out / "compare.md", as_markdown("Comparison", made.sections, [*made.verdicts, *made.notes]))
    for sentence in made.verdicts:
        console.print(inert(sentence), markup=False, highlight=False, soft_wrap=True)
    console.print(f"written: {out / 'compare.md'}, {out / 'compare.json'}", markup=False, highlight=False, soft_wrap=True)
