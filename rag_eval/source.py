"""The identity of the package's own code: what other code made, a run or something cached, is not taken for the same."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

TOKENIZING = ("tokenization.py", "control_tokens.py", "thinking.py")  # what decides the token ids of a text, beside its tokenizer


@cache
def source_sha(part: str = "") -> str:
    """16 hex digits over name and content of every .py and .yaml file in a folder of the package, or of one file.

    Args:
        part: such as "adapt" or "prompt.py"; "" is the whole package. The embedded model's files do not count.
    """
    root = Path(__file__).parent / part
    total = hashlib.sha256()
    found = [root] if root.is_file() else root.rglob("*")
    for path in sorted(path for path in found if path.suffix in {".py", ".yaml"} and "assets" not in path.parts):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]
