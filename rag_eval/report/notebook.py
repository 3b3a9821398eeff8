"""Tables as a notebook shows them: HTML with a picture, every text of it inert, and plain text of at most 80 columns."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from rag_eval.report.markdown import inert
from rag_eval.report.table import Table
from rag_eval.report.terminal import print_table

WIDTH = 80  # columns of the plain text


def as_text(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Tables as plain text without colours, at most 80 columns wide.

    Args:
        title: first line.
        tables: in order.
        notes: sentences below the tables.

    Returns:
        The text.
    """
    said = io.StringIO()
    # Where rich finds Jupyter it would display the text instead of writing it.
    console = Console(file=said, width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False)
    console.print(Text(inert(title)))
    for one in tables:
        print_table(console, one)
    for note in notes:
        console.print(Text(inert(note)))
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines())


def as_html(title: str, tables: Sequence[Table], notes: Sequence[str], png: bytes | None, alt: str = "") -> str:
    """Tables as an HTML fragment without scripts, links and CSS classes.

    Args:
        title: heading.
        tables: in order.
        notes: sentences below the tables.
        png: PNG file shown below the tables; None = no picture.
        alt: description of the picture.

    Returns:
        The HTML, in which every text is escaped.
    """
    picture = "" if png is None else f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
    said = f"<ul>{''.join(_block('li', note) for note in notes)}</ul>" if notes else ""
    return f"<div><p><strong>{escape(title)}</strong></p>{''.join(map(_table, tables))}{picture}{said}</div>"


def escape(text: object) -> str:
    """Text as HTML shows it literally, in elements and in quoted attributes."""
    return html.escape(inert(text))


def _table(table: Table) -> str:
    header, *rows = table.texts(table.shown("everywhere", "where it fits"))
    body = "".join(_row("td", row) for row in rows)
    return f"{_block('p', table.title)}<table><thead>{_row('th', header)}</thead><tbody>{body}</tbody></table>{_block('p', table.reading)}"


def _block(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>" if text else ""


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
