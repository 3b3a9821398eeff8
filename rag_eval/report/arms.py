"""The table of recorded runs, one line an arm: python -m rag_eval.report runs=outputs out=reports experiment=NAME."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rag_eval.errors import UserError
from rag_eval.record.disk import write_atomically, writing
from rag_eval.report import guards
from rag_eval.report.figures import write_bars
from rag_eval.report.markdown import hardware, inert, summary
from rag_eval.report.options import parsed
from rag_eval.report.runs import finished_runs, is_current, labels, latest_per_arm, mismatches, recorded
from rag_eval.report.table import Table, as_json, table

DEFAULTS = {"runs": "outputs", "out": "reports", "experiment": "", "allow_mismatch": "false"}
FILE_WIDTH = 240  # where the output is no terminal


def report(argv: Sequence[str]) -> None:
    """Read, compare, print, and write summary.md, table.json and figures/em.png.

    Raises:
        UserError: an option is wrong, there is no finished run, or runs may not stand in one table.
    """
    words, options = parsed(argv, DEFAULTS)
    if words:
        raise UserError(f"expected {', '.join(f'{key}=VALUE' for key in DEFAULTS)}, or compare or power, got {words[0]!r}.")
    records = latest_per_arm(finished_runs(Path(options["runs"]), options["experiment"] or None))
    notes = mismatches(records)
    if notes and options["allow_mismatch"] != "true":
        raise UserError(
            f"{notes[0]}; pick one study with experiment=NAME (a run is put into one by experiment_name=NAME), or put them side by side "
            "with allow_mismatch=true."
        )
    n_old = sum(not is_current(record) for record in records)
    if n_old == 0:
        experiment, _ = recorded(Path(options["runs"]).glob(options["experiment"] or "*"))
        notes += guards.notes(list(zip(labels(records), records, strict=True)), experiment)
    else:
        notes.append(f"{n_old} runs were recorded by an earlier version; what to beware of is not known")
    if len({hardware(record) for record in records}) > 1:
        notes.append("the runs come from different machines: their seconds cannot be compared")
    made = table(records)
    out = Path(options["out"])
    with writing(out):
        write_bars(made, "answer/em", out / "figures" / "em.png")
    write_atomically(out / "table.json", json.dumps(as_json(made), indent=1, allow_nan=False) + "\n")
    write_atomically(out / "summary.md", summary(made, records, notes))
    _show(made, notes, out)


def _show(made: Table, notes: Sequence[str], out: Path) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    shown = RichTable(show_lines=True)
    for title in ("arm", *(column.title for column in made.columns)):
        shown.add_column(title, overflow="fold")
    for line in made.lines:
        shown.add_row(*(Text(inert(text)) for text in (line.title, *(cell.text() for cell in line.cells))))
    console.print(shown)
    for note in notes:
        console.print(Text(f"note: {inert(note)}"), soft_wrap=True)
    console.print(Text(f"written: {out / 'summary.md'}, {out / 'table.json'}, {out / 'figures' / 'em.png'}"), soft_wrap=True)
