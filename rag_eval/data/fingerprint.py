"""The identity of a dataset: one hash over all of its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from rag_eval.types import Document, Example

NOTHING: Mapping[str, Sequence[str]] = {}


def fingerprint(
    documents: Iterable[Document],
    train: Iterable[Example],
    dev: Iterable[Example],
    test: Iterable[Example],
    restated: Mapping[str, Sequence[str]] = NOTHING,
) -> str:
    """sha256, in hexadecimal, of every field of every row as canonical JSON, a line each, in order and under its part's name.

    Restatements, of each document's id, are rows of their own and come last.

    Raises:
        ValueError: if a row holds a number that is not finite.
    """
    digest = hashlib.sha256()
    for part, rows in (("documents", documents), ("train", train), ("dev", dev), ("test", test), ("restated", restated.items())):
        for row in rows:
            line = json.dumps({part: row}, default=vars, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            digest.update(line.encode() + b"\n")
    return digest.hexdigest()
