"""Which recorded arm meets a deployment's constraints at least cost, by how much, how sure, and what would change the answer.

    rag-eval decide queries_per_day=2000 updates_per_week=1 p95_ms=1500 min_accuracy=0.8 utilisation=0.5 hardware=cloud_cpu
    rag-eval decide rag finetune experiment=NAME queries_per_day=... ...

queries_per_day, updates_per_week: the load. p95_ms: the longest 95th percentile of the time to an answer that is accepted, as
`rag-eval latency` measures it for single requests. min_accuracy: the smallest share of right answers that is accepted. utilisation: the
share of the paid hours in which the machine does this work. hardware: a price sheet of conf/hardware. All of them must be given.

Arms are all finished runs of an experiment, training seeds as one arm, or those that are named: by mode (the newest one counts), by
directory or by the beginning of their id. Further keys: horizon_days=365 (over which what is spent once is spread), experiment=NAME
(where to look), measure=answer/contains (which score tells right answers; without it the one that the runs are judged by), runs=outputs,
out=reports, allow_mismatch=false. Computes from what was recorded, runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from rag_eval.errors import UserError
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.report.commands.options import Options, one_number, parsed, utilisations
from rag_eval.report.decision.constraints import Constraints
from rag_eval.report.decision.study import Decided, decided, recorded_study
from rag_eval.report.decision.tables import plain
from rag_eval.report.markdown import as_markdown, inert
from rag_eval.report.plain import as_json
from rag_eval.report.priced_arms import sheet_named
from rag_eval.report.terminal import show

NEEDED = ("queries_per_day", "updates_per_week", "p95_ms", "min_accuracy", "utilisation", "hardware")
DEFAULTS = {
    **dict.fromkeys(NEEDED, ""),
    "horizon_days": "365",
    "measure": "",  # the score that the runs are judged by
    "experiment": "",
    "runs": "outputs",
    "out": "reports",
    "allow_mismatch": "false",
}
LARGEST = 1e12  # of a number in the constraints


def decide_command(argv: Sequence[str]) -> None:
    """Decide about the recorded runs by the constraints on the command line.

    Args:
        argv: runs, and key=value.

    Raises:
        UserError: an option is missing or wrong, there is no arm to decide about, or the runs may not stand in one table.
    """
    names, options = parsed(argv, DEFAULTS)
    constraints = constraints_of(options)
    sheet_named(options["hardware"])
    study = recorded_study(Path(options["runs"]), options["experiment"], names, options["allow_mismatch"] == "true")
    _write(decided(study, constraints, options["hardware"], options["measure"]), options)


def constraints_of(options: Options) -> Constraints:
    """The constraints in the options.

    Args:
        options: with every name of DEFAULTS.

    Returns:
        What is asked for.

    Raises:
        UserError: one of them is missing, no number or out of range.
    """
    missing = [name for name in NEEDED if not options[name]]
    if missing:
        raise UserError(f"expected {', '.join(f'{name}=' for name in missing)} too: the answer depends on all of them.")
    shares = utilisations(options)
    if len(shares) != 1:
        raise UserError(f"utilisation: expected one share, got {options['utilisation']!r}.")
    names = ("queries_per_day", "updates_per_week", "p95_ms", "min_accuracy", "horizon_days")
    given = {name: one_number(options, name) for name in names}
    for name, value in given.items():
        if value > LARGEST:
            raise UserError(f"{name}: expected a number of at most {LARGEST:g}, got {options[name]!r}.")
    try:
        return Constraints(**given, utilisation=shares[0])
    except ValueError as error:
        raise UserError(str(error)) from None


def _write(made: Decided, options: Options) -> None:
    out, console = Path(options["out"]), Console()
    show(made.tables, made.notes, console)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "decide.json", json.dumps(_plain(made, options), indent=1, allow_nan=False) + "\n")
    write_atomically(out / "decide.md", as_markdown("Decision", made.tables, [made.sentence, *made.notes]))
    console.print(inert(made.sentence), markup=False, highlight=False, soft_wrap=True)
    console.print(f"written: {out / 'decide.md'}, {out / 'decide.json'}", markup=False, highlight=False, soft_wrap=True)


def _plain(made: Decided, options: Options) -> Mapping[str, object]:
    return {
        "schema_version": 1,
        "constraints": {**vars(made.decision.constraints), "hardware": options["hardware"]},
        "answer": {"kind": made.decision.outcome.kind, "winner": made.decision.outcome.winner, "sentence": made.sentence},
        "flips": plain(made.decision),
        "map": vars(made.map),
        "notes": made.notes,
        "sections": as_json(made.tables),
    }
