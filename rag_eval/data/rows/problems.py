"""Collection of all faults in a user's files, reported in one error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rag_eval.errors import DataError

N_SHOWN = 20


class Problems:
    """A list of faults that is raised as one error."""

    def __init__(self, *files: str) -> None:
        """Create an empty list.

        Args:
            *files: paths of the files; the error names those with faults.
        """
        self.files = files
        self.found: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Add a fault; `where` begins with the file, as in `file:line`."""
        self.found.append(f"{where} {what}")

    def has_repeated(self, where: str, columns: Iterable[str]) -> bool:
        """Add a fault if column names are repeated, and return whether there is one."""
        twice = repeated(columns)
        if twice:
            self.add(where, f"names the columns {', '.join(map(shown, twice))} more than once; leave one of each")
        return bool(twice)

    def raise_any(self) -> None:
        """Raise the collected faults, at most 20 of them, with their number.

        Raises:
            DataError: if there is a fault; the first line has the number of faults and the first one.
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
    """Names that occur more than once, in order of first appearance."""
    return [name for name, n in Counter(names).items() if n > 1]


def shown(value: Any) -> str:
    """`repr` of a value, shortened to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
