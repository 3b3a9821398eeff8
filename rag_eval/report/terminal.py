"""Tables for a terminal, as wide as it is, or as COLUMNS says, or 80 columns where the output is none.

A table that is too wide puts intervals below their numbers; then it leaves out the columns that may be left out and says so; then it
goes on below itself in parts, each with the first column. No number is broken; a name in the first column may be.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rag_eval.report.markdown import inert
from rag_eval.report.table import Table

PADDING = 3  # of a column: its border and a space on each side
WIDEST = 24  # a text as wide as this may be wrapped
NARROWEST = 8  # the first column where its words are broken
Rows = Sequence[Sequence[str]]


def show(tables: Sequence[Table], notes: Sequence[str], console: Console) -> None:
    """Print the tables and then the notes, which break between words; a word wider than the terminal stays whole."""
    for one in tables:
        print_table(console, one)
    for note in notes:
        lines = f"note: {inert(note)}".splitlines()
        wrapped = (textwrap.fill(line, console.width, break_long_words=False, break_on_hyphens=False) for line in lines)
        console.print(Text("\n".join(wrapped)), soft_wrap=True)


def print_table(console: Console, table: Table) -> None:
    """Print a table as wide as the terminal allows."""
    at, cells = _fitting(table, console.width)
    is_right = [table.columns[number].is_right for number in at]
    least = _side_by_side(_least(cells), console.width)
    parts = list(_parts(least, console.width))
    for number, part in enumerate(parts, start=1):
        of = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        if table.title:
            console.print(Text(f"{inert(table.title)}{of}", style="italic"))
        widths = _widened([[row[one] for one in part] for row in cells], [least[one] for one in part], console.width)
        console.print(_part([[row[one] for one in part] for row in cells], widths, [is_right[one] for one in part], table.rules))
    left_out = [table.columns[number].title for number in table.shown("where it fits") if number not in at]
    reading = [table.reading, *([f"In the file alone: {', '.join(left_out)}."] if left_out else [])]
    if text := " ".join(filter(None, reading)):
        console.print(Text(inert(text), style="dim italic"))


def _fitting(table: Table, width: int) -> tuple[list[int], Rows]:
    """The numbers of the columns to show and their cells, the header first."""
    everything = table.shown("everywhere", "where it fits")
    cells = [[inert(cell) for cell in row] for row in table.texts(everything)]
    if _fit(_least(cells), width):
        return everything, cells
    below = [[cell.replace(" [", "\n[") for cell in row] for row in cells]  # an interval below its number
    if _fit(_least(below), width):
        return everything, below
    kept = [place for place, number in enumerate(everything) if table.columns[number].place == "everywhere"]
    return [everything[place] for place in kept], [[row[place] for place in kept] for row in below]


def _part(cells: Rows, widths: Sequence[int], is_right: Sequence[bool], rules: Collection[int]) -> RichTable:
    shown = RichTable()
    for title, own, right in zip(cells[0], widths, is_right, strict=True):
        shown.add_column(Text(title), overflow="fold", justify="right" if right else "left", width=own)
    for number, row in enumerate(cells[1:]):
        shown.add_row(*map(Text, row), end_section=number in rules)
    return shown


def _least(cells: Rows) -> list[int]:
    """What each column needs: its longest line, or its longest word where a line is long enough to be wrapped."""
    return [max(_needed(cell, is_title=at == 0) for at, cell in enumerate(column)) for column in zip(*cells, strict=True)]


def _side_by_side(least: Sequence[int], width: int) -> list[int]:
    """The same, so that each other column fits beside the first: long words of the first are broken, no numbers of the others."""
    first, *others = least
    left = width - 1 - PADDING * min(2, len(least))
    first = min(first, max(NARROWEST, left - max((min(one, WIDEST) for one in others), default=0)))
    return [first, *(max(1, min(one, left - first)) for one in others)]


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
