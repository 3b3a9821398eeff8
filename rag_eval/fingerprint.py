"""Fingerprint of a dataset: one hash over all of its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rag_eval.types import Document, Example, QADataset

NOTHING: Mapping[str, Sequence[str]] = {}


def fingerprint(
    documents: Iterable[Document],
    train: Iterable[Example],
    dev: Iterable[Example],
    test: Iterable[Example],
    restated: Mapping[str, Sequence[str]] = NOTHING,
    others: Iterable[Example] = (),
) -> str:
    """SHA-256 over all rows.

    Every row is one line of canonical JSON under the name of its part, in order. Grading is hashed as meta, as in the source files.
    Paraphrases of each document are rows of their own, as are others; they come last.

    Args:
        documents: the corpus.
        train: training questions.
        dev: dev questions.
        test: test questions.
        restated: paraphrases by document id.
        others: control questions.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: if a row contains a number that is not finite.
    """
    digest = hashlib.sha256()
    parts = {"documents": documents, "train": train, "dev": dev, "test": test, "restated": restated.items(), "others": others}
    for part, rows in parts.items():
        for row in rows:
            line = json.dumps({part: row}, default=_plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _plain(value: Any) -> dict[str, Any]:
    if not isinstance(value, Example):
        return dict(vars(value))
    fields = {name: one for name, one in vars(value).items() if name != "grading"}
    return {**fields, "meta": {**value.meta, **value.grading.as_meta()}}


def identified(dataset: QADataset) -> QADataset:
    """Set the fingerprint of a dataset from its rows.

    Others of the same source are hashed; those that are also in train are hashed once. Others of another source are not hashed,
    because they are determined by the dataset's name.

    Args:
        dataset: the dataset.

    Returns:
        A copy with its fingerprint.
    """
    taught = {example.id for example in dataset.train}
    others = [one for one in dataset.others if one.id not in taught] if dataset.others_are_of_source else []
    sha = fingerprint(dataset.documents, dataset.train, dataset.dev, dataset.test, dataset.restated, others)
    return replace(dataset, fingerprint=sha)
