"""Tables for a terminal: one that is too wide stands below itself in parts, each with the first column, and no number is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rag_eval.report.markdown import inert

PADDING = 3  # of a column: its border and a space on each side
WIDEST = 24  # a text as wide as this may be wrapped
Rows = Sequence[Sequence[str]]


def print_table(console: Console, rows: Rows, title: str = "", reading: str = "", has_lines: bool = False) -> None:
    """Print a table as wide as the terminal allows.

    Args:
        console: where to.
        rows: cells; the first row is the header, the first column names the others.
        title: above the table.
        reading: how to read it, below.
        has_lines: whether a line stands between rows.
    """
    cells = [[inert(cell) for cell in row] for row in rows]
    if not _fit(_least(cells), console.width):
        cells = [[cell.replace(" [", "\n[") for cell in row] for row in cells]  # an interval below its number
    least = [min(width, console.width - PADDING - 1) for width in _least(cells)]
    parts = list(_parts(least, console.width))
    for number, columns in enumerate(parts, start=1):
        of = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        if title:
            console.print(Text(f"{inert(title)}{of}", style="italic"))
        console.print(_part([[row[at] for at in columns] for row in cells], [least[at] for at in columns], console.width, has_lines))
    if reading:
        console.print(Text(inert(reading), style="dim italic"))


def _part(cells: Rows, least: Sequence[int], width: int, has_lines: bool) -> RichTable:
    shown = RichTable(show_lines=has_lines)
    for at, (title, own) in enumerate(zip(cells[0], _widened(cells, least, width), strict=True)):
        shown.add_column(Text(title), overflow="fold", justify="left" if at == 0 else "right", width=own)
    for row in cells[1:]:
        shown.add_row(*map(Text, row))
    return shown


def _least(cells: Rows) -> list[int]:
    """What each column needs: its longest line, or its longest word where a line is long enough to be wrapped."""
    return [max(_needed(cell, is_title=at == 0) for at, cell in enumerate(column)) for column in zip(*cells, strict=True)]


def _needed(cell: str, is_title: bool) -> int:
    words = max(map(len, cell.split()), default=0)
    return words if is_title else max(words, min(_line(cell), WIDEST))


def _line(cell: str) -> int:
    return max(map(len, cell.split("\n")))


def _fit(widths: Sequence[int], width: int) -> bool:
    return sum(widths) + PADDING * len(widths) + 1 <= width


def _parts(widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """The columns of each part, as many as fit beside the first."""
    part = [0]
    for at in range(1, len(widths)):
        if len(part) > 1 and not _fit([widths[one] for one in (*part, at)], width):
            yield part
            part = [0]
        part.append(at)
    yield part


def _widened(cells: Rows, least: Sequence[int], width: int) -> list[int]:
    """The widths of a part's columns: what is left of the terminal goes to those that would be wrapped, from the left."""
    left = width - 1 - sum(one + PADDING for one in least)
    found = []
    for column, own in zip(zip(*cells, strict=True), least, strict=True):
        more = max(0, min(left, max(map(_line, column)) - own))
        left -= more
        found.append(own + more)
    return found
