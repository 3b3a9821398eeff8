"""Two or more recorded runs against each other: every number with its interval, every guard, one verdict.

    python -m rag_eval.report compare RUN_A RUN_B [RUN_C ...] [key=value ...]

A run is given by its mode (the newest one counts), its directory or the beginning of its id. Keys: experiment=NAME (where
to look), measure=answer/f1 (the score compared; without it the one that the runs are judged by), threshold=0 and margin=0.02
(declared for the verdict), hardware=NAME with utilisation=, queries=, updates=, hours= (costs in money; without
it in seconds of the machine), runs=outputs, out=reports, allow_mismatch=false. Computes from what was recorded, runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rag_eval.errors import UserError
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.load import find_run, read_run
from rag_eval.report.commands.options import Options, one_number, parsed, utilisations
from rag_eval.report.context import ReportContext, Section
from rag_eval.report.declared_comparison import caveats, check_comparable, declaration, verdicts
from rag_eval.report.markdown import as_markdown, inert
from rag_eval.report.plain import as_json
from rag_eval.report.priced_arms import Terms, machine_seconds, sheet_named
from rag_eval.report.sections import (
    break_even,
    costs,
    declared_comparison,
    decomposition,
    energy,
    kitagawa,
    knowledge_gained,
    latency,
    ledger,
    other_differences,
    prior_knowledge,
    rescue_and_harm,
    runs,
    scores,
    seeds,
    strata,
    whole_runs,
    wrong_answers,
)
from rag_eval.report.table import Table
from rag_eval.report.terminal import show
from rag_eval.stats.estimate import SHARE

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


SECTIONS: tuple[Section, ...] = (  # in the order of the report; a new one is a file of `sections` and a line here
    knowledge_gained.leading,
    declared_comparison.tables,
    knowledge_gained.following,
    runs.tables,
    scores.tables,
    seeds.tables,
    decomposition.tables,
    kitagawa.tables,
    rescue_and_harm.tables,
    strata.tables,
    prior_knowledge.tables,
    wrong_answers.tables,
    latency.tables,
    costs.tables,
    break_even.tables,
    whole_runs.tables,
    energy.tables,
    ledger.tables,
    other_differences.tables,
)


@dataclass(frozen=True)
class Comparison:
    """Everything that is printed and written."""

    tables: list[Table]
    notes: list[str]
    verdicts: list[str]  # a sentence for each pair


def compare(argv: Sequence[str]) -> None:
    """Compare the runs on the command line; print the report and write it as compare.md and compare.json.

    Args:
        argv: at least two runs (mode, directory or beginning of an id), and options as key=value.

    Raises:
        UserError: if a run is missing or not finished, the runs may not be compared, or an option is wrong.
        EnvironmentFault: if the report cannot be written.
    """
    names, options = parsed(argv, DEFAULTS)
    if len(names) < 2:
        raise UserError("expected at least two runs: python -m rag_eval.report compare RUN_A RUN_B, as in compare rag finetune.")
    terms = _terms(options)
    threshold, margin = one_number(options, "threshold"), one_number(options, "margin")
    compared = [read_run(find_run(name, Path(options["runs"]), options["experiment"])) for name in names]
    differing = check_comparable(compared, options["allow_mismatch"] == "true")
    context = ReportContext(compared, declaration(compared, options["measure"], threshold, margin), terms)
    _write(comparison(context, differing), Path(options["out"]))


def comparison(context: ReportContext, first_notes: Sequence[str] = ()) -> Comparison:
    """The whole report.

    Args:
        context: what is compared.
        first_notes: to begin with.

    Returns:
        Tables, notes and verdicts.
    """
    tables = [table for section in SECTIONS for table in section(context)]
    return Comparison(tables, [*first_notes, *caveats(context), *_instead(context)], verdicts(context))


def _instead(context: ReportContext) -> list[str]:
    """Where the sections below the verdict use another score than the one declared."""
    measure, by, share = (context.label(name) for name in (context.measure, context.by, context.share))
    if by != measure:
        return [f"{measure} measures the form of some arm's answers: the sections below the verdict are by {by}"]
    if share == by:
        return []
    why = "is better when lower" if context.scoring.of(context.by).bounds == SHARE else "is no share"
    return [f"{measure} {why}: where answers and differences come from is by {share}"]


def _terms(options: Options) -> list[Terms]:
    """Cost terms, one for each utilisation.

    Without `hardware` costs are machine seconds; without a horizon too, only what does not depend on it is computed.

    Args:
        options: all options of the command.

    Returns:
        The terms; one without `hardware`.

    Raises:
        UserError: if options that belong together are not all given, or a number is out of range.
    """
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
    console = Console()
    show(made.tables, made.notes, console)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    plain = {"schema_version": 1, "verdicts": made.verdicts, "notes": made.notes, "sections": as_json(made.tables)}
    write_atomically(out / "compare.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
    write_atomically(out / "compare.md", as_markdown("Comparison", made.tables, [*made.verdicts, *made.notes]))
    for verdict in made.verdicts:
        console.print(inert(verdict), markup=False, highlight=False, soft_wrap=True)
    console.print(f"written: {out / 'compare.md'}, {out / 'compare.json'}", markup=False, highlight=False, soft_wrap=True)
