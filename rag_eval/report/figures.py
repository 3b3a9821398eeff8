"""Figures of the report."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rag_eval.report.markdown import inert
from rag_eval.report.table import Table

DPI = 150


def write_bars(table: Table, name: str, path: Path) -> None:
    """One bar an arm with its 95 % interval, first arm on top; an arm without the measure has no bar."""
    at = [column.name for column in table.columns].index(name)
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(table.lines)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row, line in enumerate(table.lines):
        cell = line.cells[at]
        if cell.value is None or cell.low is None or cell.high is None:
            axes.text(0.01, row, cell.text(), va="center", color="gray")
        else:
            error = [[max(0.0, cell.value - cell.low)], [max(0.0, cell.high - cell.value)]]
            axes.barh(row, cell.value, xerr=error, capsize=3, color="tab:blue", alpha=0.8)
    axes.set_yticks(range(len(table.lines)), [inert(line.title) for line in table.lines], parse_math=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(table.lines) - 0.5, -0.5)
    axes.set_xlabel(f"{table.columns[at].title} with 95 % interval")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
