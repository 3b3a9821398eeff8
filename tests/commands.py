"""How a command of the command line ended, for tests that run it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def directory(self) -> Path:
        """The run directory: the last line of standard output."""
        return Path(self.out.splitlines()[-1])

    @property
    def record(self) -> dict[str, Any]:
        """The run's run.json."""
        return dict(json.loads((self.directory / "run.json").read_text(encoding="utf-8")))

    def mean(self, name: str) -> float:
        """The mean of an estimate."""
        return float(self.record["estimates"][name]["mean"])
