"""The table at the end of a latency measurement."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from rag_eval.latency.record import LatencyRecord
from rag_eval.latency.summary import summarised
from rag_eval.report.cold_start import cold_start_rows
from rag_eval.report.table import Cell, Table, Term, interval_figure
from rag_eval.report.terminal import show
from rag_eval.score.labels import label_of
from rag_eval.text.counted import counted


def latency_tables(records: Sequence[LatencyRecord]) -> list[Table]:
    """Every percentile of every arm, and what a cold start took."""
    found = {record.arm: summarised(record) for record in records}
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    rows: list[tuple[Cell, ...]] = [
        (Term(name, label_of(name)), *(interval_figure(found[record.arm].get(name)) for record in records)) for name in names
    ]
    rows += [(title, *figures) for title, figures in cold_start_rows(records)]
    one = records[0].protocol
    reading = (
        f"{one['scenario']}, {counted(one['n_queries'], 'question', 'questions')} after "
        f"{counted(one['n_warmup'], 'warm-up request', 'warm-up requests')} a shape, {counted(one['n_blocks'], 'block', 'blocks')}, arms "
        f"in alternation, {one['device']}, {counted(one['threads'], 'thread', 'threads')}, output "
        f"{'natural' if one['forced_tokens'] is None else one['forced_tokens']}. Brackets: 95 % intervals."
    )
    return [Table("Latency", reading, ("measure", *(record.arm for record in records)), tuple(rows))]


def show_latency(records: Sequence[LatencyRecord]) -> None:
    """Print it."""
    show(latency_tables(records), [], Console())
