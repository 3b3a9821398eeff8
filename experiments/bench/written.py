"""A bench's table as Markdown, beside everything that was measured as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def write(report: Path, title: str, about: str, columns: Sequence[str], rows: Iterable[Sequence[str]], measured: Mapping[str, Any]) -> None:
    """Write both files.

    Args:
        report: their path without a suffix.
        title: heading of the table.
        about: what was measured, and on what machine; in both files.
        columns: of the table.
        rows: as many cells each as there are columns.
        measured: what else the JSON file holds.
    """
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
    report.parent.mkdir(parents=True, exist_ok=True)
    report.with_suffix(".md").write_text("\n".join([f"# {title}", about, "", *lines, ""]), encoding="utf-8")
    report.with_suffix(".json").write_text(json.dumps({"about": about, **measured}, indent=1) + "\n", encoding="utf-8")
