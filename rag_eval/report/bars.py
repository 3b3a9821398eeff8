"""Figures of the report."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rag_eval.report.markdown import inert
from rag_eval.report.table import Figure as Shown
from rag_eval.report.table import Table
from rag_eval.types import Estimate

DPI = 150
SCREEN_DPI = 96  # of a picture in a notebook


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
    axes.set_xlim(0, 1)
    _label(axes, [row[0] for row in table.rows], f"{table.columns[at].title} with 95 % interval")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)


def intervals_png(lines: Sequence[tuple[str, Estimate | None]], title: str, margin: float | None = None) -> bytes:
    """Figure of points with 95 % intervals, one row each, the first on top.

    An infinite end of an interval is drawn at the point. A row without a number reads "not measured".

    Args:
        lines: label and number of each row; None = not measured.
        title: label of the axis.
        margin: half-width of the band around 0 that counts as no difference; None = the numbers are shares, drawn from 0 to 1.

    Returns:
        The PNG file.
    """
    figure = Figure(figsize=(7, 1.0 + 0.3 * len(lines)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row, (_, found) in enumerate(lines):
        if found is None or math.isnan(found.mean):
            axes.annotate("not measured", (0.01, row), xycoords=("axes fraction", "data"), va="center", color="gray")
        else:
            ends = [end if math.isfinite(end) else found.mean for end in (found.low, found.high)]
            error = [[max(0.0, found.mean - ends[0])], [max(0.0, ends[1] - found.mean)]]
            axes.errorbar(found.mean, row, xerr=error, fmt="o", capsize=3, color="tab:blue")
    if margin is None:
        axes.set_xlim(-0.02, 1.02)
    else:
        axes.axvline(0.0, color="black", linewidth=0.8)
        axes.axvspan(-margin, margin, color="gray", alpha=0.2)
    _label(axes, [label for label, _ in lines], title)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=SCREEN_DPI, format="png")
    return drawn.getvalue()


def _label(axes: Axes, rows: Sequence[object], title: str) -> None:
    """Name the rows, first one on top, and the axis below them; nothing in a text is markup or a formula."""
    axes.set_yticks(range(len(rows)), [inert(row) for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(inert(title), parse_math=False)
