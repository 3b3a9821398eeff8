"""Pieces of work that are made one after the other, each from what those before it gave; one that fails leaves the others."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rag_eval.errors import RagEvalError
from rag_eval.progress import duration, progress

PARTLY = 3  # exit code of a command of which some work failed
WINDOW = 10  # last runs that the time left is told by: at first they may all come from disk

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class NotMade(RagEvalError):
    """Something takes a run that failed."""

    exit_code = PARTLY


class Found(dict[Key, Result]):
    """What the runs gave, by their keys; `failed` has the messages of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: dict[Key, str] = {}

    def __missing__(self, key: Key) -> Result:
        raise NotMade(f"{named(key)} is needed and failed ({self.failed[key]}); the same command makes what is missing.")


@dataclass(frozen=True)
class Run(Generic[Key, Result]):
    """A piece of work whose result is kept under a key."""

    key: Key
    make: Callable[[Found[Key, Result]], Result]  # from what the runs before it gave


def named(key: Hashable) -> str:
    """A key in words."""
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def one_by_one(runs: Sequence[Run[Key, Result]], tell: Callable[[Exception, str], object]) -> Found[Key, Result]:
    """Make the runs in their order, telling how many are done, how long one takes and how much time is left.

    A run that fails is told and left out. As long as none has succeeded, a fault is the command's own and is raised.

    Args:
        runs: with different keys.
        tell: is given what a run raised, and its name.

    Returns:
        The results; `failed` has the messages of the others.
    """
    found: Found[Key, Result] = Found()
    seconds: deque[float] = deque(maxlen=WINDOW)
    with progress("runs", len(runs)) as advance:
        for n_done, run in enumerate(runs, start=1):
            begun = time.perf_counter()
            try:
                found[run.key] = run.make(found)
            except Exception as error:
                if not found:
                    raise
                tell(error, f"{named(run.key)}: ")
                found.failed[run.key] = str(error) if isinstance(error, RagEvalError) else f"{type(error).__name__}: {error}"
            seconds.append(time.perf_counter() - begun)
            each_s = statistics.fmean(seconds)
            advance(1, note=f", {duration(each_s)} each", left_s=each_s * (len(runs) - n_done))
    return found
