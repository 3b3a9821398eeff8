"""The rows of the table, in order."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.table import adaptability, customization, data_dependency
from experiments.table.row import Row

ROWS: Sequence[Row] = (customization.ROW, data_dependency.ROW, adaptability.ROW)
