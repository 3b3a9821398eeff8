"""Figures of the report."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rag_eval.report.markdown import inert
from rag_eval.report.table import Figure as Shown
from rag_eval.report.table import Table

DPI = 150


def write_bars(table: Table, name: str, path: Path) -> None:
    """One bar an arm with its 95 % interval, first arm on top; an arm without the measure has no bar."""
    at = [column.name for column in table.columns].index(name)
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(table.rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row, cells in enumerate(table.rows):
        cell = cells[at]
        if not isinstance(cell, Shown) or cell.value is None or cell.low is None or cell.high is None:
            axes.text(0.01, row, table.columns[at].text(cell), va="center", color="gray")
        else:
            error = [[max(0.0, cell.value - cell.low)], [max(0.0, cell.high - cell.value)]]
            axes.barh(row, cell.value, xerr=error, capsize=3, color="tab:blue", alpha=0.8)
    axes.set_yticks(range(len(table.rows)), [inert(row[0]) for row in table.rows], parse_math=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(table.rows) - 0.5, -0.5)
    axes.set_xlabel(inert(f"{table.columns[at].title} with 95 % interval"), parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
