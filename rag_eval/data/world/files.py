"""An invented world as files: JSON lines that any tool reads, and a manifest that says what they are.

world.jsonl             every disease with all of its values, and the attribute that no document states
corpus/v0.jsonl         documents, with the facts that their sentences state
qa/{train,dev,test}.jsonl   questions in the format of dataset=jsonl
manifest.json           preset, seed, code, counts, sha256 of each file, bits, priors; written last
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rag_eval.data.world.model import Disease
from rag_eval.data.world.prior import bits, guess_before, guess_knowing_frequencies
from rag_eval.data.world.source import PRESETS, inhabitants, world
from rag_eval.data.world.understanding import WorldLanguage
from rag_eval.errors import ConfigError
from rag_eval.source import source_sha
from rag_eval.types import Document, Example

Row = Mapping[str, Any]


def write_world(preset: str, seed: int, out: Path) -> dict[str, Any]:
    """Write a world and return its manifest. The same preset and seed give the same bytes on every machine.

    Raises:
        ConfigError: the preset is unknown, the seed reserved, or the folder holds something already.
    """
    if preset not in PRESETS:
        raise ConfigError(f"preset={preset}: no such preset; choices: {', '.join(PRESETS)}.")
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"out={out}: holds something already; give a new or an empty folder.")
    dataset = world(preset, seed)  # type: ignore[arg-type]
    facts = [_facts(document) for document in dataset.documents]
    by_attribute = bits(str(fact["attribute"]) for stated in facts for fact in stated)
    files: dict[str, Iterable[Row]] = {
        "world.jsonl": map(_entity, inhabitants(preset, seed)),
        "corpus/v0.jsonl": map(_document, dataset.documents, facts),
        "qa/train.jsonl": map(partial(_question, split="train"), dataset.train),
        "qa/dev.jsonl": map(partial(_question, split="dev"), dataset.dev),
        "qa/test.jsonl": map(partial(_question, split="test"), dataset.test),
    }
    manifest = {
        "schema_version": 1,
        "preset": preset,
        "seed": seed,
        "code": source_sha("data/world"),
        "files": {name: _write(out / name, rows) for name, rows in files.items()},
        "bits": {"by_attribute": by_attribute, "total": sum(by_attribute.values())},
        "prior": {"guess_before": guess_before(dataset.test), "guess_knowing_frequencies": guess_knowing_frequencies(dataset.test)},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8", newline="\n")
    return manifest


def _entity(one: Disease) -> Row:
    return {"id": one.id, "name": one.name, "values": one.values, "unstated": one.unstated}


def _document(document: Document, facts: Sequence[Row]) -> Row:
    return {"id": document.id, "title": document.title, "text": document.text, "meta": {"facts": facts}}


def _facts(document: Document) -> list[Row]:
    """What each sentence states, and where it stands."""
    return [{**vars(fact), "start": start, "end": end} for fact, start, end in WorldLanguage().located(document.text)]


def _question(example: Example, split: str) -> Row:
    row: dict[str, Any] = {"id": example.id, "question": example.question, "answers": list(example.answers)}
    if not example.is_answerable:
        row["unanswerable"] = True
    if example.history:
        row["history"] = [vars(turn) for turn in example.history]
    return {**row, "evidence": list(example.evidence), "cluster": example.cluster, "split": split, "meta": dict(example.meta)}


def _write(path: Path, rows: Iterable[Row]) -> dict[str, Any]:
    """Write rows one by one; their number, bytes and sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, n_rows, n_bytes = hashlib.sha256(), 0, 0
    with path.open("wb") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
            file.write(line)
            digest.update(line)
            n_rows, n_bytes = n_rows + 1, n_bytes + len(line)
    return {"rows": n_rows, "bytes": n_bytes, "sha256": digest.hexdigest()}
