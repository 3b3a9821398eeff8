"""An invented world as files: JSON lines that any tool reads, and a manifest that says what they are.

world.jsonl                 every entity with its facts: id, value, bits, versions in which it is true and in which it is stated, link
events.jsonl                what happened between the versions
corpus/v0.jsonl to v3.jsonl documents of each version, with the facts that their sentences state
qa/{train,dev,test}.jsonl   questions about version 0 in the format of dataset=jsonl
manifest.json               preset, seed, code, counts, sha256 of each file, bits, priors; written last
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rag_eval.errors import ConfigError
from rag_eval.types import Document, Example
from synthworld.dataset import DISTRACTORS, MANNER, PRESETS, past_of, world, written
from synthworld.history import N_VERSIONS, History, year
from synthworld.majority_prior import bits, guess_before, guess_knowing_frequencies, kinds_left_out, pool_size
from synthworld.model import Entity, Fact, facts_of
from synthworld.questions import Kind, Questions
from synthworld.templates import attributes

Row = Mapping[str, Any]


def write_world(preset: str, seed: int, out: Path, kinds: Sequence[Kind] = ("forward",)) -> dict[str, Any]:
    """Write a world as JSON lines. The same arguments give the same bytes on every machine.

    Args:
        preset: size of the world.
        seed: seed of the world.
        out: empty or new folder.
        kinds: kinds of question.

    Returns:
        The manifest.

    Raises:
        ConfigError: if the preset is unknown, the seed reserved, or the folder is not empty.
    """
    if preset not in PRESETS:
        raise ConfigError(f"preset={preset}: no such preset; choices: {', '.join(PRESETS)}, retrieval_10m.")
    check_empty(out)
    dataset = world(preset, seed, questions=Questions(kinds=kinds))  # type: ignore[arg-type]
    past = past_of(preset, seed)
    entities = past.at(0)
    by_attribute = bits((fact for one in entities for fact in facts_of(one)), entities)
    files: dict[str, Iterable[Row]] = {
        "world.jsonl": _entities(past),
        "events.jsonl": map(vars, past.events),
        **{f"corpus/v{version}.jsonl": _corpus(past, version, seed) for version in range(N_VERSIONS)},
        "qa/train.jsonl": map(partial(_question, split="train"), dataset.train),
        "qa/dev.jsonl": map(partial(_question, split="dev"), dataset.dev),
        "qa/test.jsonl": map(partial(_question, split="test"), dataset.test),
    }
    manifest = {
        "schema_version": 2,
        "preset": preset,
        "seed": seed,
        "kinds": list(kinds),
        "code": _code_sha(),
        "files": {name: write_rows(out / name, rows) for name, rows in files.items()},
        "bits": {"by_attribute": by_attribute, "total": sum(by_attribute.values())},
        "prior": {
            "guess_before": guess_before(dataset.test, entities),
            "guess_before_leaves_out": kinds_left_out(dataset.test),
            "guess_knowing_frequencies": guess_knowing_frequencies(dataset.test),
        },
    }
    write_manifest(out, manifest)
    return manifest


def _code_sha() -> str:
    """16 hex digits over the files of this package: its modules and its language."""
    folder, total = Path(__file__).parent, hashlib.sha256()
    for path in sorted(one for one in folder.rglob("*") if one.suffix in (".py", ".yaml")):
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    return total.hexdigest()[:16]


def write_manifest(out: Path, manifest: Row) -> None:
    """The last file of a folder: what its others are."""
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8", newline="\n")


def check_empty(out: Path) -> None:
    """Check that a folder is new or empty.

    Args:
        out: the folder.

    Raises:
        ConfigError: if it contains something.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"out={out}: holds something already; give a new or an empty folder.")


def write_rows(path: Path, rows: Iterable[Row]) -> dict[str, Any]:
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


def _corpus(past: History, version: int, seed: int) -> Iterator[Row]:
    pages = written(past, version, seed, False, 0.0, version > 0, MANNER, DISTRACTORS)
    return (_document(page.document) for page in pages)


def _document(document: Document) -> Row:
    return {"id": document.id, "title": document.title, "text": document.text, "meta": document.meta}


def _entities(past: History) -> Iterator[Row]:
    sizes = {one.name: pool_size(one.name, past.at(0)) for type in {one.type: 0 for one in past.at(0)} for one in attributes(type)}
    for one in past.at(N_VERSIONS - 1):
        row = {"id": one.id, "type": one.type, "name": one.name, "is_documented": one.is_documented, "unstated": one.unstated}
        yield {**row, "facts": list(_facts(one, past, sizes)) if one.is_documented else []}


def _facts(entity: Entity, past: History, sizes: Mapping[str, int]) -> Iterator[Row]:
    """Every value that documents have given to an attribute, with the id that they state it under.

    from, to: the versions between which it is true, by what is known in the last; from = null: never, it was retracted.
    stated_in: the versions whose documents state it: none where it is the unstated attribute, fewer where it was deleted.
    """
    place = past.place(entity.id)
    states = {at: one for at in range(N_VERSIONS) if (one := past.at(at)[place]).is_documented}
    for attribute in attributes(entity.type):
        name = attribute.name
        held = past.timeline(entity.id, name)
        begun = [at for at in states if at - 1 not in states or states[at - 1].values[name] != states[at].values[name]]
        for at, end in zip(begun, [*begun[1:], N_VERSIONS], strict=True):
            value = states[at].values[name]
            true_from, true_to = _interval(held, at, value)
            yield {
                "id": Fact(entity, attribute, value, year(at)).id,
                "attribute": name,
                "value": value,
                "bits": 0.0 if attribute.through else math.log2(sizes[name]),
                "from": true_from,
                "to": true_to,
                "stated_in": [version for version in states if at <= version < end and attribute in states[version].stated],
                "link": states[at].links.get(name),
            }


def _interval(held: Sequence[tuple[int, str]], version: int, value: str) -> tuple[int | None, int | None]:
    """When a value that is stated from a version on is true: the first version, and the one that ends it; null, null = never."""
    ends = [*(begun for begun, _ in held[1:]), None]
    for (begun, true), end in zip(held, ends, strict=True):
        if begun <= version and (end is None or version < end) and true == value:
            return begun, end
    return None, None


def _question(example: Example, split: str) -> Row:
    row: dict[str, Any] = {"id": example.id, "question": example.question, "answers": list(example.answers)}
    if not example.is_answerable:
        row["unanswerable"] = True
    if example.history:
        row["history"] = [vars(turn) for turn in example.history]
    return {
        **row,
        "evidence": list(example.evidence),
        "cluster": example.cluster,
        "split": split,
        "meta": {**example.meta, **example.grading.as_meta()},
    }
