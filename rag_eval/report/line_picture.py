"""Curves as PNG files."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rag_eval.report.bars import DPI
from rag_eval.report.curve import Curve
from rag_eval.report.html.line_chart import LIGHT, drawn
from rag_eval.report.markdown import inert

LINES = ("-", "--", ":", "-.", (0, (8, 3)), (0, (3, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "_")


def write_lines(curve: Curve, path: Path) -> None:
    """Each series as a line with its points and the band of its intervals; nothing in a text is markup or a formula.

    Args:
        curve: what is drawn; the colours and what has a place are those of the SVG.
        path: of the PNG file; its folder is made.
    """
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for one in drawn(curve):
        x, y = [point.x for point in one.points], [point.mean for point in one.points]
        axes.plot(x, y, linestyle=LINES[one.number], marker=MARKERS[one.number], color=LIGHT[one.number], label=inert(one.name))
        ends = [(p.x, p.low, p.high) for p in one.points if p.low is not None and p.high is not None and math.isfinite(p.low + p.high)]
        places, lows, highs = ([end[at] for end in ends] for at in range(3))
        axes.fill_between(places, lows, highs, color=LIGHT[one.number], alpha=0.16, linewidth=0)
    axes.set_xscale("log" if curve.log_x else "linear")
    axes.set_yscale("log" if curve.log_y else "linear")
    axes.set_xlabel(inert(curve.x), parse_math=False)
    axes.set_ylabel(inert(curve.y), parse_math=False)
    axes.set_title(inert(curve.title), parse_math=False)
    axes.grid(axis="y", alpha=0.3)
    if len(curve.series) > 1:
        for text in axes.legend(frameon=False).get_texts():
            text.set_parse_math(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
