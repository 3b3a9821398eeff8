"""The table at the end of a latency measurement."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from rag_eval.latency.record import LatencyRecord
from rag_eval.latency.summary import summarised
from rag_eval.report.table import Cell, Figure, Table, Term, interval_figure
from rag_eval.report.terminal import show
from rag_eval.score.labels import label_of


def latency_tables(records: Sequence[LatencyRecord]) -> list[Table]:
    """Every percentile of every arm, and what a cold start took."""
    found = {record.arm: summarised(record) for record in records}
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    rows: list[tuple[Cell, ...]] = [
        (Term(name, label_of(name)), *(interval_figure(found[record.arm].get(name)) for record in records)) for name in names
    ]
    for title, of in (("cold start: load s", "load_s"), ("cold start: first question s", "first_query_s")):
        if any(record.cold_start for record in records):
            rows.append((title, *(Figure(getattr(record.cold_start, of) if record.cold_start else None) for record in records)))
    one = records[0].protocol
    reading = (
        f"{one['scenario']}, {one['n_queries']} questions after {one['n_warmup']} warm-up requests a shape, {one['n_blocks']} blocks, arms "
        f"in alternation, {one['device']}, {one['threads']} threads, output "
        f"{'natural' if one['forced_tokens'] is None else one['forced_tokens']}. Brackets: 95 % intervals."
    )
    return [Table("Latency", reading, ("measure", *(record.arm for record in records)), tuple(rows))]


def show_latency(records: Sequence[LatencyRecord]) -> None:
    """Print it."""
    show(latency_tables(records), [], Console())
