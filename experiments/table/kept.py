"""Measurements that are no runs, kept beside these as JSON: a second call takes them from disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.serialize import from_plain, to_plain
from rag_eval.source import bare

FOLDER = "table"
T = TypeVar("T")


def kept(root: Path, name: str, kind: type[T], decides: list[str], source: str, make: Callable[[], T]) -> T:
    """A measurement from disk, or made and kept.

    Args:
        root: folder of the runs.
        name: of the measurement, which its file is called.
        kind: a dataclass of values that JSON has.
        decides: the settings that it depends on.
        source: path of the module that measures; where its code has changed, it is measured again.
        make: measures.

    Returns:
        What `make` returned, now or earlier.
    """
    told = [*decides, bare(Path(source).read_text(encoding="utf-8"))]
    path = root / FOLDER / f"{name.replace(' ', '-')}-{sha256(json.dumps(told).encode()).hexdigest()[:12]}.json"
    if path.is_file():
        return from_plain(kind, json.loads(path.read_text(encoding="utf-8")))
    made = make()
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(to_plain(made), allow_nan=False) + "\n")
    return made
