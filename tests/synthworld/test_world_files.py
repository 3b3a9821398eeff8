"""A world as files is the same world, byte for byte, for whoever reads it."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_dataset

from rag_eval.data.sources.jsonl import jsonl
from rag_eval.errors import ConfigError
from rag_eval.types import Example
from synthworld.__main__ import main
from synthworld.dataset import past_of, world
from synthworld.export import write_world
from synthworld.majority_prior import bits, guess_before, guess_knowing_frequencies, kinds_left_out
from synthworld.model import facts_of
from synthworld.names import TYPES
from synthworld.questions import Kind, Questions
from synthworld.templates import attributes
from synthworld.vectors import write_vectors
from tests.claims import every
from tests.retrieve.indexes import flat

pytestmark = pytest.mark.flow

FILES = [
    *(f"corpus/v{version}.jsonl" for version in range(4)),
    "events.jsonl",
    "manifest.json",
    *("qa/dev.jsonl", "qa/test.jsonl", "qa/train.jsonl"),
    "world.jsonl",
]


def rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_two_writings_are_equal_to_the_byte_and_the_manifest_is_true(tmp_path: Path) -> None:
    manifest = write_world("ci", 0, tmp_path / "a")
    write_world("ci", 0, tmp_path / "b")
    found = files(tmp_path / "a")
    assert sorted(found) == FILES
    assert found == files(tmp_path / "b")
    for name, told in manifest["files"].items():
        assert told == {"rows": found[name].count(b"\n"), "bytes": len(found[name]), "sha256": hashlib.sha256(found[name]).hexdigest()}
    write_world("ci", 1, tmp_path / "c")
    assert files(tmp_path / "c")["corpus/v0.jsonl"] != found["corpus/v0.jsonl"]


def test_the_files_are_read_as_a_dataset_of_ones_own(tmp_path: Path) -> None:
    write_world("ci", 0, tmp_path)
    (tmp_path / "all.jsonl").write_bytes(b"".join((tmp_path / "qa" / f"{split}.jsonl").read_bytes() for split in ("train", "dev", "test")))
    read, made = jsonl(str(tmp_path / "corpus" / "v0.jsonl"), str(tmp_path / "all.jsonl"), 0.0, 0), world("ci", 0)
    assert [(one.id, one.title, one.text) for one in read.documents] == [(one.id, one.title, one.text) for one in made.documents]
    assert (read.train, read.dev, read.test) == (made.train, made.dev, made.test)
    rows = load_dataset("json", data_files=str(tmp_path / "qa" / "test.jsonl"), split="train", cache_dir=str(tmp_path / "hf"))
    assert rows["id"] == [example.id for example in made.test]


def test_every_version_is_read_by_hugging_face_datasets(tmp_path: Path) -> None:
    manifest = write_world("ci", 0, tmp_path, kinds=["forward", "choice", "count"])
    for name in ("world.jsonl", "events.jsonl", *(f"corpus/v{at}.jsonl" for at in range(4)), "qa/test.jsonl"):
        table = load_dataset("json", data_files=str(tmp_path / name), split="train", cache_dir=str(tmp_path / "hf"))
        assert len(table) == manifest["files"][name]["rows"] > 10


def test_the_documents_of_a_version_state_the_facts_that_say_so_and_no_other(tmp_path: Path) -> None:
    write_world("laptop", 0, tmp_path)
    facts = {fact["id"]: fact for one in rows(tmp_path / "world.jsonl") for fact in one["facts"]}
    for version in range(4):
        documents = rows(tmp_path / "corpus" / f"v{version}.jsonl")
        stated = [(one["id"], document["text"][one["start"] : one["end"]]) for document in documents for one in document["meta"]["facts"]]
        assert {id for id, _ in stated} == {id for id, fact in facts.items() if version in fact["stated_in"]}
        assert len(stated) > 450
        assert every(facts[id]["value"] in sentence for id, sentence in stated)


def test_a_value_that_was_retracted_was_never_true_and_the_next_was_true_before_it_was_stated(tmp_path: Path) -> None:
    write_world("laptop", 0, tmp_path)
    facts = {fact["id"]: fact for one in rows(tmp_path / "world.jsonl") for fact in one["facts"]}
    never = [fact for fact in facts.values() if fact["from"] is None]
    retracted = [one for one in rows(tmp_path / "events.jsonl") if one["kind"] == "retract"]
    assert len(never) == len(retracted) > 0
    assert {(fact["id"].rpartition(".")[0], fact["value"]) for fact in never} == {
        (f"{one['entity_id']}.{one['attribute']}", one["old"]) for one in retracted
    }
    for one in retracted:
        right = facts[f"{one['entity_id']}.{one['attribute']}.{2020 + one['version']}"]
        assert right["value"] == one["new"]
        assert right["from"] is None or right["from"] < one["version"]


def test_a_link_is_the_id_of_the_entity_that_the_value_names(tmp_path: Path) -> None:
    write_world("ci", 0, tmp_path)
    entities = rows(tmp_path / "world.jsonl")
    names = {one["id"]: one["name"] for one in entities}
    facts = [fact for one in entities for fact in one["facts"]]
    linked = [fact for fact in facts if fact["link"]]
    assert len(linked) > 50
    assert every(names[fact["link"]] == fact["value"] for fact in linked)
    assert {fact["attribute"] for fact in linked} == {one.name for type in TYPES for one in attributes(type) if one.link}


def test_bits_and_priors_are_those_of_the_pools() -> None:
    entities = past_of("ci", 0).at(0)
    found = bits((fact for one in entities for fact in facts_of(one)), entities)
    inheritance = next(one for one in attributes("disease") if one.name == "inheritance")
    stated = sum(one.is_documented and one.type == "disease" and one.unstated != "inheritance" for one in entities)
    assert found["inheritance"] == stated * inheritance.bits == stated * 2.0
    assert found["workplace"] == 0.0  # it follows from the employer
    n_genes = sum(one.type == "gene" for one in entities)
    n_linked = sum(one.is_documented and one.type == "disease" and one.unstated != "gene" for one in entities)
    assert found["gene"] == pytest.approx(n_linked * math.log2(n_genes))
    test = world("ci", 0).test
    assert 0 < guess_before(test, entities) < guess_knowing_frequencies(test) < 0.45


def test_a_guess_between_given_answers_is_one_over_their_number() -> None:
    entities = past_of("ci", 0).at(0)
    asked = world("ci", 0, questions=Questions(kinds=("boolean",))).test
    assert guess_before(asked, entities) == 0.5
    asked = world("ci", 0, questions=Questions(kinds=("none_of_these",))).test
    assert guess_before(asked, entities) == 0.5  # so often it is none of these
    asked = world("ci", 0, questions=Questions(kinds=("choice",))).test
    assert guess_before(asked, entities) == 0.25
    assert kinds_left_out(asked) == []
    asked = world("ci", 0, questions=Questions(kinds=("count",))).test
    assert guess_before(asked, entities) is None
    assert kinds_left_out(asked) == ["count"]


@pytest.mark.parametrize(
    ("kind", "attribute", "expected"),
    [
        ("forward", "inheritance", 1 / 4),  # a pool of four
        ("forward", "gene", 1 / 20),  # so many genes
        ("two_hop", "chromosome", 1 / 48),  # the pool of the last hop
        ("reverse", "birthplace", 1 / 20),  # so many persons
    ],
)
def test_a_guess_is_one_over_the_values_of_a_pool_or_the_entities_of_a_type(kind: Kind, attribute: str, expected: float) -> None:
    asked = [one for one in world("laptop", 0, questions=Questions(kinds=(kind,))).test if one.meta["attribute"] == attribute]
    assert any(one.is_answerable for one in asked)
    assert guess_before(asked, past_of("laptop", 0).at(0)) == pytest.approx(expected)
    assert kinds_left_out(asked) == []


def test_who_knows_the_frequencies_says_the_most_frequent_answer_to_each_attribute_and_kind() -> None:
    told = [("forward", "organ", "ear"), ("forward", "organ", "ear"), ("forward", "organ", "nose"), ("json", "organ", "nose")]
    asked = [
        Example(str(at), "?", (answer,), (), "e", meta={"kind": kind, "attribute": name}) for at, (kind, name, answer) in enumerate(told)
    ]
    assert guess_knowing_frequencies([*asked, Example("4", "?", (), (), "e")]) == 3 / 4  # the last has no answer to be guessed


@pytest.mark.parametrize(("kind", "expected"), [("comparison", 1 / 2), ("choice", 1 / 4), ("forward", 1 / 8)])
def test_who_chooses_blindly_is_as_often_right_as_one_in_those_offered(kind: str, expected: float) -> None:
    asked = [Example(str(at), "?", (f"name {at}",), (), "e", meta={"kind": kind, "attribute": "year"}) for at in range(8)]
    assert guess_knowing_frequencies(asked) == expected


def test_planted_vectors_are_the_nearest_and_the_same_each_time(tmp_path: Path) -> None:
    manifest = write_vectors(0, tmp_path / "a", rows=2_000)
    assert manifest["files"] == write_vectors(0, tmp_path / "b", rows=2_000)["files"]
    vectors, queries = np.load(tmp_path / "a" / "vectors.npy"), np.load(tmp_path / "a" / "queries.npy")
    assert (vectors.shape, queries.shape, vectors.dtype) == ((2_000, 64), (1_000, 64), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    index = flat()
    index.add(np.arange(2_000), vectors)
    scores, found = index.search(queries, 2)
    assert (found[:, 0] == np.load(tmp_path / "a" / "planted.npy")).all()
    assert scores[:, 0].min() > 0.99 > 0.9 > scores[:, 1].max()
    with pytest.raises(ConfigError, match="at least 1,000"):
        write_vectors(0, tmp_path / "c", rows=999)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "out= is missing"),
        (["out=x", "preset=huge"], "preset=huge: no such preset; choices: ci, laptop"),
        (["out=x", "seed=-1"], "seed: expected a whole number"),
        (["out=x", "seed=1000000"], "dataset.seed must be below 1,000,000"),
        (["out=full", "preset=ci"], "holds something already"),
        (["colour=red"], "expected preset=VALUE"),
        (["out=x", "kinds=forward,twohop"], "kinds: no such kind of question as 'twohop'; choices: forward"),
        (["out=full", "preset=retrieval_10m"], "holds something already"),
        (["out=x", "kinds=forward,forward"], "kinds: expected every kind once"),
        (["out=x", "preset=ci", "rows=5"], "rows=5 says nothing with preset=ci"),
        (["out=x", "preset=retrieval_10m", "kinds=list"], "kinds=list says nothing with preset=retrieval_10m"),
        (["out=x", "preset=retrieval_10m", f"rows={10**17}"], "at most 1,000,000,000"),
        (["out=x", "preset=retrieval_10m", f"rows={10**23}"], "at most 18 digits"),
        (["out=x", "seed=" + "1" * 5000], "seed: expected a whole number"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x", encoding="utf-8")
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "x").exists()
