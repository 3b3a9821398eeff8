"""The identity of a dataset: one hash over all of its rows."""

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
    """sha256, in hexadecimal, of every field of every row as canonical JSON, a line each, in order and under its part's name.

    What a question demands of its scoring stands in its meta, as in the files that it comes from. Restatements, of each document's id,
    are rows of their own, and so are others; they come last.

    Raises:
        ValueError: if a row holds a number that is not finite.
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
    """The dataset with the fingerprint of its rows.

    Others of the same source are rows of it that may be shown or trained on; those that stand in train count once. Others of another
    follow from the dataset's name and are not made for this.
    """
    taught = {example.id for example in dataset.train}
    others = [one for one in dataset.others if one.id not in taught] if dataset.others_are_of_source else []
    sha = fingerprint(dataset.documents, dataset.train, dataset.dev, dataset.test, dataset.restated, others)
    return replace(dataset, fingerprint=sha)
