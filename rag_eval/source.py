"""The identity of the package's own code: what other code made, a run or something cached, is not taken for the same."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def source_sha(folder: str = "") -> str:
    """16 hex digits over name and content of every .py and .yaml file in a folder of the package.

    Args:
        folder: such as "adapt"; "" is the whole package. The embedded model's files do not count.
    """
    root = Path(__file__).parent / folder
    total = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in {".py", ".yaml"} and "assets" not in path.parts):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]
