"""The table of a sweep where the sweep is tracked: summary, table, comparison of two arms and figures, as files of its parent run."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag_eval.config.build import build

SUMMARY = "summary.md"
LONGEST_NOTE = 5000  # characters; a store keeps 8000 of a tag


def publish(tracking: Mapping[str, Any], sweep: str, runs: Sequence[Path]) -> None:
    """Attach the report of the runs of a sweep to its parent run.

    Whatever goes wrong costs a warning; for a tracker that keeps no files none is written.

    Args:
        tracking: where runs are mirrored.
        sweep: id of the parent run there.
        runs: directories of the finished runs of the sweep.
    """
    tracker = build(tracking)
    with tempfile.TemporaryDirectory(prefix="rag_eval-sweep-") as root:
        tracker.attach(sweep, lambda folder: _report(runs, Path(root), folder))


def _report(runs: Sequence[Path], root: Path, out: Path) -> str:
    """Write the report on these runs and no others; the text of the summary."""
    from rag_eval.report.commands.compare import compare
    from rag_eval.report.commands.summary import report

    (root / "sweep").mkdir()
    alone = [root / "sweep" / run.name for run in dict.fromkeys(runs)]
    for run, link in zip(dict.fromkeys(runs), alone, strict=True):
        link.symlink_to(run.resolve(), target_is_directory=True)
    where = [f"runs={root}", f"out={out}"]
    with contextlib.redirect_stdout(io.StringIO()):  # what was printed of each run is enough
        report(where)
        if len(alone) == 2:
            compare([*map(str, alone), *where])
    lines = (out / SUMMARY).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("!["))  # figures are beside it, not in it
    return text if len(text) <= LONGEST_NOTE else f"{text[:LONGEST_NOTE].rpartition(chr(10))[0]}\n\nThe whole is in {SUMMARY}."
