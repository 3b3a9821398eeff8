"""Storage of an embedder's truncation statistics next to cached vectors."""

from __future__ import annotations

import json
from pathlib import Path

from rag_eval.types import Cached, Truncation

_FILE = "truncation.json"


def keep(truncation: Truncation, folder: Path) -> None:
    """Write the statistics into a cache folder."""
    (folder / _FILE).write_text(json.dumps(vars(truncation)), encoding="utf-8")


def kept_truncation(kept: Cached | None) -> Truncation | None:
    """Statistics of a cache entry; None if nothing was embedded or the embedder does not truncate."""
    files = [path / _FILE for path in (kept.path, *kept.also)] if kept else []
    return next((Truncation(**json.loads(file.read_text(encoding="utf-8"))) for file in files if file.exists()), None)
