"""Everything wrong with a user's files, collected, so that one run shows it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rag_eval.errors import DataError

N_SHOWN = 20


class Problems:
    """A list of faults that ends in one error."""

    def __init__(self, *files: str) -> None:
        """
        Args:
            files: paths that the problems are in; the error names those that have any.
        """
        self.files = files
        self.found: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Note a fault; `where` begins with the file, as in `file:line`."""
        self.found.append(f"{where} {what}")

    def has_repeated(self, where: str, columns: Iterable[str]) -> bool:
        """Note the columns that are named more than once. Returns whether there are any."""
        twice = repeated(columns)
        if twice:
            self.add(where, f"names the columns {', '.join(map(shown, twice))} more than once; leave one of each")
        return bool(twice)

    def raise_any(self) -> None:
        """Raise what was found, at most 20 of it and the count.

        Raises:
            DataError: its first line says the count and the first fault.
        """
        if not self.found:
            return
        first, *others = self.found
        if not others:
            raise DataError(first)
        faulty = " and ".join(file for file in self.files if any(problem.startswith(file) for problem in self.found))
        lines = [f"{len(self.found)} problems in {faulty}, first: {first}", *others[: N_SHOWN - 1]]
        if len(self.found) > N_SHOWN:
            lines.append(f"... and {len(self.found) - N_SHOWN} more")
        raise DataError("\n  ".join(lines))


def repeated(names: Iterable[str]) -> list[str]:
    """The names that stand there more than once, in the order in which they come first."""
    return [name for name, n in Counter(names).items() if n > 1]


def shown(value: Any) -> str:
    """A value on one line, shortened, printable whatever it holds."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
