"""Tests by tier, told from what they need; a unit test that needs more than its tier allows fails.

    unit     no model, no command, no process, none of the libraries that take seconds to load
    flow     all others that make up the first look: commands, models that answer, a few that train
    train    further trainings
    slow     longer than half a minute
    browser  pages in a headless Chromium

A test is in the tier that it or its file is marked with. Without a mark it is `flow` where it runs a command or its file imports one of
those libraries, else `unit`.
"""

from __future__ import annotations

import builtins
import functools
import platform
import re
import sys
from pathlib import Path
from typing import Any

import pytest

TIERS = ("unit", "flow", "train", "slow", "browser")
ROOT = Path(__file__).parents[1]
IMPORT = re.compile(r"^(?:import (?P<modules>[^#\n]+)|from (?P<source>\S+) import (?P<names>\([^)]*\)|[^#\n]+))", re.MULTILINE)
MODELS = {"torch", "transformers", "peft", "trl", "accelerate", "sentence_transformers", "torchmetrics"}  # all load torch
HEAVY = MODELS | {"datasets", "hydra", "mlflow"}  # what a unit test's file does not even load
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}  # audit events


def tier(item: pytest.Item) -> str:
    """The tier of a test.

    Raises:
        pytest.UsageError: if a test is marked `unit` though its file imports one of HEAVY.
    """
    is_light = not is_heavy(item.path)
    marked = next((mark.name for mark in item.iter_markers() if mark.name in TIERS), None)
    if marked == "unit" and not is_light:
        raise pytest.UsageError(
            f"{item.nodeid}: a unit test, but its file imports a library that unit tests do without. Mark it flow or import less."
        )
    return marked or ("unit" if is_light and "command" not in getattr(item, "fixturenames", ()) else "flow")


@functools.cache
def is_heavy(path: Path) -> bool:
    """Whether a file loads one of HEAVY when it is imported: it or one of ours that it loads has an import at the left margin."""
    waiting, seen = [path], {path}
    while waiting:
        for name in imported(waiting.pop()):
            if name.partition(".")[0] in HEAVY:
                return True
            found = [one for one in files(name) if one not in seen]
            seen |= set(found)
            waiting += found
    return False


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """Modules that a file imports when it is loaded, and the names that it takes from them as if they were modules too."""
    found: list[str] = []
    for match in IMPORT.finditer(path.read_text(encoding="utf-8")):
        if match["modules"]:
            found += [one.split()[0] for one in match["modules"].split(",")]
        else:
            names = [one.split()[0] for one in match["names"].strip("()").split(",") if one.split()]
            found += [match["source"], *(f"{match['source']}.{name}" for name in names)]
    return tuple(found)


def files(module: str) -> list[Path]:
    """The file of one of our modules; none of others."""
    if module.partition(".")[0] not in {"rag_eval", "synthworld", "experiments", "tests"}:
        return []
    path = ROOT.joinpath(*module.split("."))
    return [one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()]


class Watch:
    """What the test that runs now does beyond its tier."""

    def __init__(self) -> None:
        self.tier: str | None = None  # of the test that runs; None = between tests
        self.found: list[str] = []
        self._load = builtins.__import__
        platform.processor()  # runs `uname` the first time that a library asks for it, and not again
        sys.addaudithook(self._audit)

    def begin(self, tier: str) -> None:
        """A test of a tier is set up next."""
        self.tier, self.found = tier, []
        if tier == "unit":
            self._load, builtins.__import__ = builtins.__import__, self._imported

    def end(self) -> None:
        """The test is over."""
        if self.tier == "unit":
            builtins.__import__ = self._load
        self.tier = None

    def _imported(self, name: str, *rest: Any, **named: Any) -> Any:
        library = name.partition(".")[0]
        if library in MODELS:  # also one that is loaded already
            self._note(f"imports {library}")
        return self._load(name, *rest, **named)

    def _audit(self, event: str, _: tuple[Any, ...]) -> None:
        if event in STARTS:
            self._note(f"starts a process ({event})")

    def _note(self, what: str) -> None:
        if self.tier == "unit" and what not in self.found:
            self.found.append(what)
