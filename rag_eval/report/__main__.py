"""Recorded runs to one table, in the terminal and in a folder.

    python -m rag_eval.report runs=outputs out=reports experiment=NAME allow_mismatch=false

Computes from what runs recorded and runs nothing. Writes summary.md, table.json and figures/em.png.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rag_eval.errors import RagEvalError, UserError
from rag_eval.record.disk import write_atomically, writing
from rag_eval.report.figures import write_bars
from rag_eval.report.markdown import hardware, inert, summary
from rag_eval.report.runs import finished_runs, latest_per_arm, mismatches
from rag_eval.report.table import Table, as_json, table

DEFAULTS = {"runs": "outputs", "out": "reports", "experiment": "", "allow_mismatch": "false"}
FILE_WIDTH = 240  # where the output is no terminal


def main(argv: Sequence[str]) -> int:
    """Report on recorded runs; options are key=value. Returns the exit code, after one line on an expected failure."""
    try:
        report(_options(argv))
    except RagEvalError as error:
        Console(stderr=True).print(Text(f"error: {inert(error)}"), soft_wrap=True)
        return error.exit_code
    return 0


def report(options: dict[str, str]) -> None:
    """Read, compare, print and write.

    Raises:
        UserError: no finished run, or runs that may not stand in one table.
    """
    records = latest_per_arm(finished_runs(Path(options["runs"]), options["experiment"] or None))
    notes = mismatches(records)
    if notes and options["allow_mismatch"] != "true":
        raise UserError(f"{notes[0]}; pick one study with experiment=NAME, or put them side by side with allow_mismatch=true.")
    if len({hardware(record) for record in records}) > 1:
        notes.append("the runs come from different machines: their seconds cannot be compared")
    made = table(records)
    out = Path(options["out"])
    with writing(out):
        write_bars(made, "answer/em", out / "figures" / "em.png")
    write_atomically(out / "table.json", json.dumps(as_json(made), indent=1, allow_nan=False) + "\n")
    write_atomically(out / "summary.md", summary(made, records, notes))
    _show(made, notes, out)


def _options(argv: Sequence[str]) -> dict[str, str]:
    given = dict(DEFAULTS)
    for argument in argv:
        name, is_pair, value = argument.partition("=")
        if name not in DEFAULTS or not is_pair:
            raise UserError(f"expected {', '.join(f'{key}=VALUE' for key in DEFAULTS)}, got {argument!r}.")
        given[name] = value
    if given["allow_mismatch"] not in ("true", "false"):
        raise UserError(f"allow_mismatch: expected true or false, got {given['allow_mismatch']!r}.")
    return given


def _show(made: Table, notes: Sequence[str], out: Path) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    shown = RichTable(show_lines=True)
    for title in ("arm", *(column.title for column in made.columns)):
        shown.add_column(title, overflow="fold")
    for line in made.lines:
        shown.add_row(*(Text(inert(text)) for text in (line.label, *(cell.text() for cell in line.cells))))
    console.print(shown)
    for note in notes:
        console.print(Text(f"note: {inert(note)}"), soft_wrap=True)
    console.print(Text(f"written: {out / 'summary.md'}, {out / 'table.json'}, {out / 'figures' / 'em.png'}"), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
