"""The rows of the table, in order."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.table import adaptability, computational_cost, customization, data_dependency, inference_time, scalability
from experiments.table.row import Row

ROWS: Sequence[Row] = (
    customization.ROW,
    data_dependency.ROW,
    computational_cost.ROW,
    adaptability.ROW,
    inference_time.ROW,
    scalability.ROW,
)
