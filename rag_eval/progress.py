"""How far a long stage is, told without taking time from what is measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

SHOWN_AFTER_S = 2.0  # a stage that is over sooner shows no bar
REPORT_S = 30.0  # between lines where there is no terminal


class Advance(Protocol):
    """Tells that n more are done, perhaps with a word on how it goes, shown from then on, or with a line that stays.

    `left_s` is how many seconds are left, by whoever knows better than that each takes as long as those before.
    """

    def __call__(self, n: int, note: str | None = None, line: str | None = None, left_s: float | None = None) -> None: ...


def duration(seconds: float) -> str:
    """In the unit in which it has two digits or so: 4.5 s, 45 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@contextmanager
def progress(what: str, total: int, n_before: int = 0) -> Iterator[Advance]:
    """`with progress("timing", 100) as advance: advance(1)`: a bar on a terminal after 2 s, a line every 30 s elsewhere.

    It is drawn by `advance` alone, never by a thread beside. `n_before` of the total were done earlier.
    """
    console = Console(stderr=True)
    counts = TextColumn("{task.completed}/{task.total}{task.fields[note]}")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(show_speed=True), counts)
    bar = Progress(*columns, console=console, transient=True, auto_refresh=False, disable=not console.is_terminal)
    task = bar.add_task(what, total=total, completed=n_before, note="")
    begun = reported = time.perf_counter()
    n_done = 0
    said = ""

    def advance(n: int, note: str | None = None, line: str | None = None, left_s: float | None = None) -> None:
        nonlocal reported, n_done, said
        if line is not None:
            console.print(line, highlight=False, soft_wrap=True)
        n_done += n
        said = said if note is None else note
        now = time.perf_counter()
        if now - begun >= SHOWN_AFTER_S:
            bar.start()  # does nothing where it has begun
        if left_s is None and n_done:
            left_s = (now - begun) / n_done * (total - n_before - n_done)
        shown = said if left_s is None else f"{said}, {duration(left_s)} left"
        bar.update(task, advance=n, note=shown, refresh=True)
        if n_done and not console.is_terminal and now - reported >= REPORT_S:
            reported = now
            console.print(f"{what}: {n_before + n_done}/{total}{shown}", highlight=False)

    try:
        yield advance
    finally:
        bar.stop()
