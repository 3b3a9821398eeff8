"""Fixtures of the whole suite: a run from the command line in this process, in a folder of its own, without a tracking store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import Ended

os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes side by side, each with all threads, slow each other many times
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """`command("mode=rag", ...)` runs the command line in an empty folder."""
    from rag_eval.cli import run

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, tracking: str = "none") -> Ended:
        capfd.readouterr()
        code = run([*arguments, f"tracking={tracking}"])
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return call
