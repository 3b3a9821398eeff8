"""What every study does around its numbers: worlds by their seeds, where the numbers come from, the files, faults in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hydra.errors import HydraException
from rich.console import Console

from rag_eval.data.world.model import RESERVED_SEED
from rag_eval.errors import RagEvalError, UserError
from rag_eval.record.disk import write_atomically, writing
from rag_eval.record.run_record import RunRecord
from rag_eval.report.form import form_reason, keeps_some_form
from rag_eval.report.options import Options, parsed
from rag_eval.report.sections import Section, as_json, as_markdown, show

MAX_DIGITS = 18  # of a seed
FILE_WIDTH = 220  # where the output is no terminal


def ended(work: Callable[[], None]) -> int:
    """The exit code of the work; what is wrong goes to standard error."""
    try:
        work()
    except RagEvalError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except HydraException as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        return UserError.exit_code
    return 0


def options_of(argv: Sequence[str], defaults: Options) -> Options:
    """The options of a command that takes nothing else.

    Raises:
        UserError: naming what may be given.
    """
    words, options = parsed(argv, defaults)
    if words:
        raise UserError(f"expected {', '.join(f'{key}=VALUE' for key in defaults)}, got {words[0]!r}.")
    return options


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds of worlds, as in "0,1,2".

    Raises:
        UserError: if they are no different numbers below those that are reserved.
    """
    parts = text.split(",")
    if not all(part.isdecimal() and len(part) <= MAX_DIGITS for part in parts) or len(set(map(int, parts))) < len(parts):
        raise UserError(f"seeds: expected different whole numbers with commas between, as in 0,1,2, got {text[:40]!r}.")
    seeds = tuple(map(int, parts))
    if max(seeds) >= RESERVED_SEED:
        raise UserError(
            f"seeds: expected numbers below {RESERVED_SEED:,}, got {max(seeds)}: on worlds from there on the model was trained."
        )
    return seeds


def provenance(records: Sequence[RunRecord], command: str) -> list[str]:
    """Command, commit, time and models, a line each."""
    git, models = records[-1].facts["git"], dict.fromkeys(record.facts["comparison"]["base_model"] for record in records)
    started, ended = min(record.started for record in records), max(record.ended or "" for record in records)
    return [
        f"command: {command.strip()}",
        f"commit: {git['commit'] or 'unknown'}{' with changes' if git['dirty'] else ''}",
        f"run: {started} to {ended}, {len(records)} runs",
        f"model: {', '.join(str(one) for one in models if one is not None)}",
    ]


def form_notes(records: Mapping[str, Sequence[RunRecord]]) -> list[str]:
    """A line for each arm, by name, of which some run's exact match measures the form of its answers: claims about it say nothing."""
    measured = [(name, [one for one in those if keeps_some_form(one) is False]) for name, those in records.items()]
    return [f"{form_reason(name, those[0])}; what is claimed of it by exact match says nothing" for name, those in measured if those]


def write_report(out: Path, name: str, title: str, sections: Sequence[Section], notes: Sequence[str], **more: object) -> None:
    """Write name.md and name.json, which holds `more` too, and print both.

    Raises:
        EnvironmentFault: if the folder cannot be written.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    plain = {"schema_version": 1, "notes": list(notes), **more, "sections": as_json(sections)}
    write_atomically(out / f"{name}.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
    write_atomically(out / f"{name}.md", as_markdown(title, sections, notes))
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    show(sections, [*notes, f"written: {out / f'{name}.md'}, {out / f'{name}.json'}"], console)
