"""The one table of all reports: columns, rows of cells, and how a number is rounded.

Each medium has one renderer: `terminal.show`, `markdown.markdown_of` and `plain.as_json`, which rounds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rag_eval.stats.interval import Interval
from rag_eval.types import Estimate

NOT_MEASURED = "not measured"
CACHED = "cached"

# figure: by its size; share: three decimals; amount: three significant digits, of seconds, tokens and counts.
Rounding = Literal["figure", "share", "amount"]
Kind = Rounding | Literal["text"]
Place = Literal["everywhere", "where it fits", "in JSON"]


@dataclass(frozen=True)
class Figure:
    """A number with what makes it trustworthy. Rounded when it is shown, never before."""

    value: float | None  # None = not measured
    low: float | None = None  # of the 95 % interval; -inf and inf are bounds that do not exist
    high: float | None = None
    n: int | None = None
    n_clusters: int | None = None
    note: str = ""
    is_cached: bool = False  # spent by an earlier run, which this one builds on
    rounding: Rounding | None = None  # None = that of its column

    def __str__(self) -> str:
        return self.text()

    def text(self, rounding: Rounding = "figure") -> str:
        """What a table shows.

        Args:
            rounding: of its column.

        Returns:
            The number with its interval and notes, rounded.
        """
        notes = f" ({self.note})" if self.note else ""
        if self.value is None or math.isnan(self.value):
            return CACHED if self.is_cached else f"{NOT_MEASURED}{notes}"
        form = _form(self.rounding or rounding, self.value)
        shown = form(self.value)
        if self.low is not None and self.high is not None and not math.isnan(self.low + self.high):
            shown += f" [{form(self.low)}, {form(self.high)}]"
        return f"{shown}{f' ({CACHED})' if self.is_cached else ''}{notes}"


@dataclass(frozen=True)
class Term:
    """A cell that a reader and a program call by different names."""

    key: str  # in JSON
    label: str

    def __str__(self) -> str:
        return self.label


Cell = str | int | Figure | Term


@dataclass(frozen=True)
class Column:
    """What all cells of a column have in common."""

    title: str
    key: str = ""  # what JSON calls it; "" = as its title
    kind: Kind = "figure"  # text stands at the left, numbers at the right
    place: Place = "everywhere"  # where it fits: a terminal too narrow for the whole table leaves it out

    @property
    def name(self) -> str:
        """What JSON calls it."""
        return self.key or self.title

    @property
    def is_right(self) -> bool:
        """Whether its cells end at the right edge."""
        return self.kind != "text"

    def text(self, cell: Cell) -> str:
        """What is shown of a cell."""
        return cell.text("figure" if self.kind == "text" else self.kind) if isinstance(cell, Figure) else str(cell)


Header = tuple[str | Column, ...]  # a title alone is a column of figures, the first one of text


@dataclass(frozen=True)
class Table:
    """What it shows, how to read it, its columns and rows. The first column names the rows."""

    title: str  # "" = none
    reading: str
    header: Header
    rows: tuple[tuple[Cell, ...], ...]  # as many cells as columns
    rules: Collection[int] = ()  # numbers of rows that a line in the terminal follows

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The header as columns."""
        return tuple(
            one if isinstance(one, Column) else Column(one, kind="text" if at == 0 else "figure") for at, one in enumerate(self.header)
        )

    def texts(self, at: Sequence[int]) -> list[list[str]]:
        """The cells of some columns as they are shown, the header first."""
        titles = [self.columns[number].title for number in at]
        return [titles, *([self.columns[number].text(row[number]) for number in at] for row in self.rows)]

    def shown(self, *places: Place) -> list[int]:
        """The numbers of the columns that have one of these places."""
        return [number for number, column in enumerate(self.columns) if column.place in places]


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
        return _share(value)
    return f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def _form(rounding: Rounding, value: float) -> Callable[[float], str]:
    """How a value and the ends of its interval are written."""
    if rounding == "amount":
        return _amount
    is_tiny = value != 0 and round(value, 3) == 0
    return _share if rounding == "share" and not is_tiny else number


def _share(value: float) -> str:
    return number(value) if math.isinf(value) else f"{round(value, 3) + 0.0:.3f}"  # + 0.0: what rounds to 0 has no sign


def _amount(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "<0.001" if 0 < value < 0.001 else f"{value + 0.0:,.3g}" if value < 100 else f"{value:,.0f}"
