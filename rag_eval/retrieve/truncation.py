"""How much of the documents an embedder did not read, as it is kept beside their vectors."""

from __future__ import annotations

import json
from pathlib import Path

from rag_eval.parts import Cached, Truncation

_FILE = "truncation.json"


def keep(truncation: Truncation, folder: Path) -> None:
    """Write it into a folder of the cache."""
    (folder / _FILE).write_text(json.dumps(vars(truncation)), encoding="utf-8")


def kept_truncation(kept: Cached | None) -> Truncation | None:
    """What was written; None where nothing was embedded, or by an embedder that reads everything."""
    files = [path / _FILE for path in (kept.path, *kept.also)] if kept else []
    return next((Truncation(**json.loads(file.read_text(encoding="utf-8"))) for file in files if file.exists()), None)
