"""The rows of the table, in order."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.table import computational_cost, inference_time, scalability
from experiments.table.row import Row

ROWS: Sequence[Row] = (
    computational_cost.ROW,
    inference_time.ROW,
    scalability.ROW,
)
