"""A report as titled tables of cells: the same for the terminal, for Markdown and for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from rag_eval.report.markdown import escape, inert
from rag_eval.report.terminal import print_table
from rag_eval.score.interval import Interval
from rag_eval.types import Estimate

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Figure:
    """A number with what makes it trustworthy. Rounded when it is shown, never before."""

    value: float | None  # None = not measured
    low: float | None = None  # of the 95 % interval; -inf and inf are bounds that do not exist
    high: float | None = None
    n: int | None = None
    n_clusters: int | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.value is None or math.isnan(self.value):
            return f"{NOT_MEASURED}{f' ({self.note})' if self.note else ''}"
        shown = number(self.value)
        if self.low is not None and self.high is not None and not math.isnan(self.low + self.high):
            shown += f" [{number(self.low)}, {number(self.high)}]"
        return f"{shown} ({self.note})" if self.note else shown


Cell = str | int | Figure


@dataclass(frozen=True)
class Section:
    """One table: what it shows, how to read it, its rows."""

    title: str
    reading: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def figure(estimate: Estimate | None, note: str = "") -> Figure:
    """An estimate as a figure; None is not measured."""
    if estimate is None or math.isnan(estimate.mean):
        return Figure(None, note=note)
    return Figure(estimate.mean, estimate.low, estimate.high, estimate.n, estimate.n_clusters, note)


def interval_figure(found: Interval | None, note: str = "", scale: float = 1.0) -> Figure:
    """A number that is no mean as a figure, times a change of unit; None is not measured."""
    if found is None:
        return Figure(None)
    return Figure(scale * found.value, scale * found.low, scale * found.high, found.n, found.n_clusters, note)


def number(value: float) -> str:
    """Three decimals for small numbers, fewer for large ones, powers of ten for tiny ones."""
    if math.isinf(value):
        return "unbounded" if value > 0 else "-unbounded"
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.4f}" if size >= 0.00005 else f"{value:.1e}"
    if size < 10:
        return f"{value:.3f}"
    return f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def as_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Unrounded; null = not measured, or a bound that does not exist."""
    return [
        {"title": one.title, "reading": one.reading, "header": one.header, "rows": [[_plain(cell) for cell in row] for row in one.rows]}
        for one in sections
    ]


def as_markdown(title: str, sections: Sequence[Section], notes: Sequence[str]) -> str:
    """The whole file; every text in it is inert."""
    parts = [f"# {escape(title)}", "\n".join(f"- {escape(note)}" for note in notes)]
    return "\n\n".join([*parts, *map(markdown_of, sections)]) + "\n"


def markdown_of(section: Section) -> str:
    """One section: its title, how to read it, its table."""
    rows = [_line(section.header), "|" + " --- |" * len(section.header), *(_line(tuple(map(str, row))) for row in section.rows)]
    return "\n\n".join(part for part in (f"## {escape(section.title)}", escape(section.reading), "\n".join(rows)) if part)


def show(sections: Sequence[Section], notes: Sequence[str], console: Console) -> None:
    """Print the tables and then the notes."""
    for one in sections:
        print_table(console, [one.header, *(tuple(map(str, row)) for row in one.rows)], one.title, one.reading)
    for note in notes:
        console.print(Text(f"note: {inert(note)}"), soft_wrap=True)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def _plain(cell: Cell) -> Any:
    if not isinstance(cell, Figure):
        return cell
    numbers = {name: value if value is None or math.isfinite(value) else None for name, value in vars(cell).items() if name != "note"}
    return {**numbers, "note": cell.note}
