"""`rag-eval table`: arms, latency, cost, claims and decision for a user's own documents, in one command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rag_eval.cli.errors import fail, prepare

if TYPE_CHECKING:
    from rag_eval.made import Found
    from rag_eval.own_table.options import Options

TABLE_USAGE = """rag-eval table dataset=folder dataset.documents=DOCS dataset.questions=QA.csv generator=hf generator.model=... [key=value]
Runs every arm on your documents, times them, and judges the claims of the table "fine-tuning versus RAG" that such data can judge.
It first tells what it will run, for how long and at what cost, from a few questions and training steps. Finished runs come from disk.
plan=only          tells that and stops
arms=a,b           some of closed_book, few_shot, rag, rag_format, finetune, finetune_format, rag_finetune, oracle; rag_random
out=reports/own    summary.html (one page without a script), summary.md, table.json, figures
queries_per_day=, updates_per_week=, p95_ms=, min_accuracy=   decide for this load; without them a map over loads
utilisation=0.5, hardware=SHEET, horizon_days=365             terms of costs; without hardware= the sheet of the device
Any other key of python run.py but mode, experiment and latency."""


def table(arguments: list[str]) -> int:
    """Tell the plan, run the arms and sessions, and report."""
    if {"-h", "--help"} & set(arguments):
        print(TABLE_USAGE)
        return 0
    prepare()
    try:
        from rag_eval.config.secrets import refuse_secrets
        from rag_eval.own_table.options import read

        refuse_secrets(arguments)
        return _table(read([one for one in arguments if one != "debug=true"]), arguments)
    except BaseException as error:
        return fail(error, "", is_debug="debug=true" in arguments)


def _table(options: Options, arguments: list[str]) -> int:
    from dataclasses import replace

    from rich.console import Console

    from rag_eval.errors import DataError
    from rag_eval.made import PARTLY, one_by_one
    from rag_eval.own_table.arms import checked
    from rag_eval.own_table.plan import plan_table, planned, sheet_of
    from rag_eval.own_table.probe import probed
    from rag_eval.own_table.report import division, reported
    from rag_eval.own_table.work import runs
    from rag_eval.report.priced_arms import sheet_named
    from rag_eval.report.terminal import show

    arms = checked(options)
    timed = probed(arms.arms)
    if timed.refused and options.is_named:
        raise DataError("; ".join(f"{name} {why}" for name, why in timed.refused.items()))
    arms = replace(
        arms,
        arms={name: arm for name, arm in arms.arms.items() if name not in timed.refused},
        left_out={**arms.left_out, **timed.refused},
    )
    plan = planned(arms.arms, timed, sheet_named(sheet_of(timed, options.hardware)), options.utilisation)
    told = Console(stderr=not options.is_plan_only)  # standard output is for results
    left_out = [f"left out: {name}: {why}" for name, why in arms.left_out.items()]
    show([plan_table(plan)], [*division(arms), *left_out, *plan.notes, plan.sentence], told)
    if options.is_plan_only:
        return 0
    made = one_by_one(runs(arms, plan), fail)
    report = reported(options, arms, plan, made, " ".join(["rag-eval table", *arguments]))
    written = report.write(options.out)
    show(report.shown, [*report.notes, f"written: {', '.join(map(str, written))}"], Console())
    return PARTLY if made.failed or _n_unasked(made) else 0


def _n_unasked(made: Found[str, Any]) -> int:
    """Questions that could not be asked."""
    from rag_eval.record.load import RecordedRun

    n = sum(run.record.facts.outcomes.counts.n_error or 0 for run in made.values() if isinstance(run, RecordedRun))
    if n:
        print(f"error: {n} questions could not be asked", file=sys.stderr)
    return n
