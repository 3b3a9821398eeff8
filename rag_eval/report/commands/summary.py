"""The table of recorded runs, one line an arm: python -m rag_eval.report runs=outputs out=reports experiment=NAME.

rank=MEASURE puts the lines in order, best first. hardware=NAME with utilisation=SHARE prices metrics of whole runs such as
cost/usd_per_correct, which are not measured without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from rag_eval.errors import UserError
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.load import read_run
from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import finished_runs, labels, latest_per_arm, mismatches, recorded
from rag_eval.report import warnings
from rag_eval.report.arms_table import arms_table, value_of
from rag_eval.report.bars import write_bars
from rag_eval.report.commands.options import Options, parsed, utilisations
from rag_eval.report.contrast import Arm
from rag_eval.report.knowledge_gain import MODES, knowledge_gained
from rag_eval.report.plain import as_json, by_key
from rag_eval.report.priced_arms import Terms, sheet_named
from rag_eval.report.summary import hardware, summary
from rag_eval.report.table import Figure, Table
from rag_eval.report.terminal import show
from rag_eval.report.whole_run_metrics import whole_run_figures
from rag_eval.score.primary import TRAIN_PHRASING
from rag_eval.score.scoring import Scoring, scoring_of

DEFAULTS = {
    "runs": "outputs",
    "out": "reports",
    "experiment": "",
    "allow_mismatch": "false",
    "rank": "",
    "hardware": "",
    "utilisation": "",
}


def report(argv: Sequence[str]) -> None:
    """Print the table of recorded runs; write summary.md, table.json and a figure of each score of right answers.

    Args:
        argv: options as key=value.

    Raises:
        UserError: if an option is wrong, there is no finished run, or the runs may not stand in one table.
        EnvironmentFault: if the report cannot be written.
    """
    words, options = parsed(argv, DEFAULTS)
    terms = _terms(options)
    if words:
        raise UserError(f"expected {', '.join(f'{key}=VALUE' for key in DEFAULTS)}, or compare or power, got {words[0]!r}.")
    found = finished_runs(Path(options["runs"]), options["experiment"] or None)
    records, folders = latest_per_arm([record for _, record in found]), {record.run_id: folder for folder, record in found}
    notes = mismatches(records)
    if notes and options["allow_mismatch"] != "true":
        raise UserError(
            f"{notes[0]}; pick one study with experiment=NAME (a run is put into one by experiment_name=NAME), or put them side by side "
            "with allow_mismatch=true."
        )
    n_old = sum(not record.is_comparable for record in records)
    gained = None
    if n_old == 0:
        gained = knowledge_gained(_by_mode(records, folders))
        experiment, _ = recorded(Path(options["runs"]).glob(options["experiment"] or "*"))
        notes += warnings.notes(list(zip(labels(records), records, strict=True)), experiment)
    else:
        notes.append(f"{n_old} runs were recorded by an earlier version; what to beware of is not known")
    if len({hardware(record) for record in records}) > 1:
        notes.append("the runs come from different machines: their seconds cannot be compared")
    scoring = scoring_of(*records)
    if options["rank"]:
        _check_rank(options["rank"], records, scoring)
        notes.append(f"in the order of {scoring.label(options['rank'])}, best first: where intervals overlap it may be chance")
    sections = [] if gained is None else [gained.table]
    whole = {one.run_id: _whole(one, folders[one.run_id], terms) for one in records}
    made = arms_table(records, whole, options["rank"], "Arms" if sections else "")
    out = Path(options["out"])
    if gained is not None and gained.leads:
        notes = [*gained.sentences, *notes]
    figures = _figures(made, scoring)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, file in figures.items():
            write_bars(made, name, out / file)
    plain = {"schema_version": 1, **by_key(made), "sections": as_json(sections)}
    write_atomically(out / "table.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
    pictures = {file: scoring.label(name) for name, file in figures.items()}
    write_atomically(out / "summary.md", summary([*sections, made], records, notes, pictures))
    written = ", ".join(str(out / file) for file in ("summary.md", "table.json", *pictures))
    show([*sections, made], [*notes, f"written: {written}"], Console())


def _terms(options: Options) -> Terms | None:
    """Terms by which answers are priced.

    Args:
        options: all options of the command.

    Returns:
        The terms; None without `hardware`.

    Raises:
        UserError: if only one of `hardware` and `utilisation` is given, or either is wrong.
    """
    if bool(options["hardware"]) != bool(options["utilisation"]):
        raise UserError("expected hardware=NAME and utilisation=SHARE together: what an hour of work costs depends on both.")
    if not options["hardware"]:
        return None
    sheet, shares = sheet_named(options["hardware"]), utilisations(options)
    if len(shares) != 1:
        raise UserError(f"utilisation: expected one share, got {options['utilisation']!r}.")
    return Terms(sheet, shares[0], 0.0, None, 0.0)


def _check_rank(measure: str, records: Sequence[RunRecord], scoring: Scoring) -> None:
    of_runs = [name for name, one in scoring.declared.items() if one.judges == "run"]
    known = dict.fromkeys([*(name for record in records for name in record.estimates), *of_runs])
    if measure not in known:
        raise UserError(f"rank={measure}: no run has it; there are {', '.join(known)}.")
    is_primary_of_some = measure.startswith("strata/") or measure.endswith(TRAIN_PHRASING)  # the primary score of some questions
    if measure not in scoring.declared and not is_primary_of_some:
        raise UserError(
            f"rank={measure}: no metric declares it, so that neither more nor less of it is known to be better; choose another."
        )
    if scoring.of(measure).better == "neither":
        raise UserError(f"rank={measure}: neither more nor less of it is better; choose another.")


def _whole(record: RunRecord, folder: Path, terms: Terms | None) -> dict[str, Figure]:
    """The metrics of a whole run; read only where its record declares some."""
    if not any(one.judges == "run" for one in scoring_of(record).declared.values()):
        return {}
    return whole_run_figures(read_run(folder), terms)


def _by_mode(records: Sequence[RunRecord], folders: Mapping[str, Path]) -> dict[str, Arm]:
    """The newest run of each mode that tells what was gained, with its questions."""
    arms = {record.mode: (label, record) for label, record in zip(labels(records), records, strict=True)}
    return {mode: Arm(label, read_run(folders[record.run_id])) for mode, (label, record) in arms.items() if mode in MODES}


def _figures(made: Table, scoring: Scoring) -> dict[str, str]:
    """The files of the figures by the score that they show: the primary one, and of strict and lenient ones what was scored."""
    at = {column.name: number for number, column in enumerate(made.columns)}
    both = [name for name in scoring.asking("form", "content") if name in at]
    names = [name for name in both if any(value_of(row[at[name]]) is not None for row in made.rows)]
    return {name: f"figures/{name.partition('/')[2]}.png" for name in dict.fromkeys((scoring.primary, *names)) if name in at}
