"""One pattern of study: its options, its runs, its sections. CONTRIBUTING.md has the smallest one.

`Study.main` reads the options, makes the runs one by one, which takes those that are finished from disk, and prints and writes
NAME.md and NAME.json. A run that fails does not stop the others. Exit codes: 0 done, 2 user error, 3 partly failed with what succeeded
kept, 4 environment, 130 and 143 signals, 1 a bug.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from rich.console import Console

from experiments.options import options_of
from rag_eval.cli.errors import fail, prepare
from rag_eval.config.compose import composed
from rag_eval.errors import Terminated
from rag_eval.evaluate import evaluate
from rag_eval.made import PARTLY, Key, Result, one_by_one
from rag_eval.made import Found as Found
from rag_eval.made import NotMade as NotMade
from rag_eval.made import Run as Run
from rag_eval.made import named as named
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.load import RecordedRun, read_run
from rag_eval.report.markdown import as_markdown
from rag_eval.report.plain import as_json
from rag_eval.report.provenance import form_notes as form_notes
from rag_eval.report.provenance import provenance as provenance
from rag_eval.report.table import Table
from rag_eval.report.terminal import show


class Written(Protocol):
    """Options of what writes a report."""

    @property
    def out(self) -> Path: ...


Given = TypeVar("Given", bound=Written)


@dataclass(frozen=True)
class Picture:
    """A figure below the tables."""

    text: str  # instead of it
    draw: Callable[[Path], None]  # writes the PNG file


@dataclass(frozen=True)
class Report:
    """What a study found."""

    sections: Sequence[Table]
    notes: Sequence[str] = ()  # beside where the numbers come from, which is always said
    more: Mapping[str, object] = field(default_factory=dict)  # of the JSON file
    picture: Picture | None = None
    is_as_expected: bool = True  # False ends with 3
    files: Callable[[Path, Sequence[str]], Sequence[Path]] | None = None  # writes more into the folder, given all notes; returns what
    data_file: str = ""  # the JSON file, where it has all that the tables say in `more`; "" = NAME.json, with the tables


@dataclass(frozen=True)
class Study(Generic[Given, Key, Result]):
    """A command `python -m MODULE key=value ...`."""

    name: str  # of the files that it writes
    title: str
    module: str
    options: type[Given]
    runs: Callable[[Given], Sequence[Run[Key, Result]]]
    report: Callable[[Given, Found[Key, Result]], Report]  # may raise NotMade, by looking up what failed
    before: Callable[[Given], str] | None = None  # a line that is told before the first run, such as how long all will take

    def main(self, argv: Sequence[str]) -> int:
        """Make the runs, print and write; returns the exit code."""
        return ended(lambda: self.carry_out(options_of(argv, self.options), argv))

    def carry_out(self, options: Given, argv: Sequence[str]) -> int:
        """The same with options that were read; `argv` is what the report says of the command."""
        load = os.getloadavg()[0]
        runs = self.runs(options)
        if self.before is not None:
            Console(stderr=True).print(self.before(options), highlight=False, soft_wrap=True)
        found = made(runs)
        report = self.report(options, found)
        records = [one.record for one in found.values() if isinstance(one, RecordedRun)]
        n_unasked = sum(record.facts.outcomes.counts.n_error or 0 for record in records)
        notes = [*provenance(records, " ".join(["python -m", self.module, *argv])), *report.notes]
        notes += [] if records else [f"load average before: {load:.1f}"]  # recorded runs may be of another time and machine
        notes += [f"failed: {named(key)}: {message}" for key, message in found.failed.items()]
        notes += [f"failed: {n_unasked} questions could not be asked"] if n_unasked else []
        write_report(options.out, self.name, self.title, report, notes)
        return PARTLY if found.failed or n_unasked or not report.is_as_expected else 0


def ended(work: Callable[[], int]) -> int:
    """The exit code of a command's work; what is wrong goes to standard error in one line, a bug with its traceback."""
    prepare()
    try:
        return work()
    except (Exception, KeyboardInterrupt, Terminated) as error:
        return fail(error)


def made(runs: Sequence[Run[Key, Result]]) -> Found[Key, Result]:
    """Make the runs in their order; one that fails is told on standard error and left out."""
    return one_by_one(runs, fail)


def possible(*sections: Callable[[], Table]) -> list[Table]:
    """The sections that can be made of what succeeded."""
    found = []
    for section in sections:
        with suppress(NotMade):
            found.append(section())
    return found


def evaluation(key: Key, overrides: Sequence[str], experiment: str, output_dir: Path) -> Run[Key, RecordedRun]:
    """A run as `python run.py` makes it, in the folder output_dir/experiment; from disk where it is finished."""
    own = ("tracking=none", f"experiment_name={experiment}", f"output_dir={output_dir}")
    return Run(key, lambda _: recorded([*overrides, *own]))


def recorded(overrides: Sequence[str]) -> RecordedRun:
    """The finished run of these settings, from disk or made now."""
    return read_run(Path(evaluate(composed(overrides)).directory))


def write_report(out: Path, name: str, title: str, report: Report, notes: Sequence[str]) -> None:
    """Write NAME.md and NAME.json or the report's `data_file`, and NAME.png if there is a picture, and print the tables and notes.

    Args:
        out: folder; made if it does not exist.
        name: name of the files.
        title: heading of NAME.md.
        report: tables and picture.
        notes: sentences about where the numbers come from.

    Raises:
        EnvironmentFault: if the folder cannot be written.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    text = as_markdown(title, report.sections, notes)
    if report.picture is not None:
        report.picture.draw(out / f"{name}.png")
        text += f"\n![{report.picture.text}]({name}.png)\n"
    data = out / (report.data_file or f"{name}.json")
    sections = {} if report.data_file else {"sections": as_json(report.sections)}
    plain = {"schema_version": 1, "notes": list(notes), **report.more, **sections}
    write_atomically(data, json.dumps(plain, indent=1, allow_nan=False) + "\n")
    write_atomically(out / f"{name}.md", text)
    written = [out / f"{name}.md", data, *(report.files(out, notes) if report.files is not None else ())]
    show(report.sections, [*notes, f"written: {', '.join(map(str, written))}"], Console())
