"""What a cold start took, as rows of tables of latency."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.latency.record import LatencyRecord
from rag_eval.report.table import Figure

TIMED = {"cold start: load s": "load_s", "cold start: first question s": "first_query_s"}


def cold_start_rows(records: Sequence[LatencyRecord]) -> list[tuple[str, list[Figure]]]:
    """Rows by title, a figure a record; none where no record has a cold start."""
    starts = [record.cold_start for record in records]
    if not any(starts):
        return []
    return [(title, [Figure(None if one is None else getattr(one, name)) for one in starts]) for title, name in TIMED.items()]
