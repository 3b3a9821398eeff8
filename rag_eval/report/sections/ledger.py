"""Physical units of the whole experiment, by arm and stage."""

from __future__ import annotations

from rag_eval.cost.ledger import totals
from rag_eval.report.context import ReportContext
from rag_eval.report.ledger_entries import entries, n_silent
from rag_eval.report.table import Cell, Figure, Table


def tables(context: ReportContext) -> list[Table]:
    """One line an arm and stage; JSON keeps the texts of counts as they are shown."""
    header = (
        "arm and stage",
        "runs",
        "trials",
        "not finished",
        "s",
        "device s",
        "CPU s",
        "device J",
        "CPU J",
        "tokens in",
        "tokens out",
        "bytes kept",
    )
    rows: list[tuple[Cell, ...]] = []
    for (mode, stage), one in totals(entries(context.experiment, context.records)).items():
        spend = one.spend
        physical = (spend.seconds, spend.device_seconds, spend.cpu_seconds, spend.device_joules, spend.cpu_joules)
        counted = (spend.n_prompt_tokens, spend.n_output_tokens, spend.stored_bytes)
        amounts = (*map(Figure, physical), *(Figure(None) if n is None else f"{n:,}" for n in counted))
        rows.append((f"{mode}: {stage}", one.n, one.n_trials, one.n_failed, *amounts))
    reading = (
        "Every run of the experiment, each second counted where it was spent. evaluate: answering the questions; load: loading the model "
        "and its first call; probe: asking again; data_generation: a model's writing of training data, once for all. "
        "Latency sessions are not in it. A sum with an unmeasured part is not measured. "
        f"{n_silent(context.experiment)} runs or attempts ended without a word of what they spent."
    )
    return [Table("Ledger of the experiment", reading, header, tuple(rows))]
