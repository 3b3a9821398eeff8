"""The command line: `rag-eval run ...` (= `python run.py ...`), `rag-eval lessons ...` and others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from rag_eval.cli.augment import augment
from rag_eval.cli.latency import latency
from rag_eval.cli.report import decide, report
from rag_eval.cli.run import run
from rag_eval.cli.table import table
from rag_eval.cli.ui import ui
from rag_eval.processes import n_processes

USAGE = """rag-eval run [key=value ...]      one run, or a sweep with -m; the same as python run.py
rag-eval latency [key=value ...]  time several modes together, as in mode=rag,finetune
rag-eval lessons [key=value ...]  training questions made of your documents
rag-eval table [key=value ...]    your own table: plan, arms, latency, cost, claims and decision in one command
rag-eval report [key=value ...]   the table of recorded runs; report compare, report power
rag-eval decide [key=value ...]   which recorded arm meets your load, latency and accuracy at least cost
rag-eval ui [key=value ...]       MLflow's dashboards of recorded runs, on this machine

python run.py --help shows the keys and their choices."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code."""
    command, *arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    commands: dict[str, Callable[[list[str]], int]] = {
        "run": run,
        "latency": latency,
        "lessons": augment,
        "table": table,
        "report": report,
        "decide": decide,
        "ui": ui,
    }
    if command in commands and command != "run" and n_processes() > 1:
        print(f"error: rag-eval {command} is started once; only run takes several processes. Leave accelerate launch out.", file=sys.stderr)
        return 2
    if command in commands:
        return commands[command](arguments)
    is_help = command in {"-h", "--help"}
    if not is_help:
        print(f"error: there is no command {command!r}; commands: {', '.join(commands)}.", file=sys.stderr)
    print(USAGE, file=sys.stdout if is_help else sys.stderr)
    return 0 if is_help else 2
