from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
x: 0
tracking:
  _target_: rag_eval.track.jsonl.JsonLines
  path: runs.jsonl
  parent: null
hydra:
  output_subdir: null
  run: {dir: .}
  sweep: {dir: ., subdir: .}
  callbacks:
    sweep: {_target_: rag_eval.track.sweep.SweepParent}
"""

APP = """
import hydra

@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg):
    with open("seen", "a") as seen:
        seen.write(f"{cfg.x} {cfg.tracking.parent}\\n")
    if cfg.x == 2:
        raise RuntimeError("this job fails")
    if cfg.x == 3:
        raise KeyboardInterrupt
    if cfg.x == 4:
        raise SystemExit(7)

main()
"""


def sweep(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Runs the jobs in a process of their own; the lines that the tracker wrote."""
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "app.py").write_text(APP)
    subprocess.run([sys.executable, "app.py", *arguments], cwd=folder, check=False, capture_output=True, timeout=120)
    lines = folder / "runs.jsonl"
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


@pytest.mark.parametrize(
    ("values", "status", "n_jobs"),
    [("0,1", "FINISHED", 2), ("0,2,1", "FAILED", 3), ("0,3,1", "KILLED", 2), ("0,4,1", "KILLED", 2)],
)
def test_every_job_knows_its_sweep_and_the_sweep_tells_how_it_ended(tmp_path: Path, values: str, status: str, n_jobs: int) -> None:
    opened, closed = sweep(tmp_path, "-m", f"x={values}")
    assert (opened["name"], opened["status"], closed["status"]) == (f"x={values}", "RUNNING", status)
    seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert seen == [[x, opened["id"]] for x in values.split(",")[:n_jobs]]
    assert closed["id"] == opened["id"]


def test_a_single_run_has_no_sweep(tmp_path: Path) -> None:
    assert sweep(tmp_path, "x=1") == []
    assert (tmp_path / "seen").read_text() == "1 None\n"
