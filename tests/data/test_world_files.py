"""A world as files is the same world, byte for byte, for whoever reads it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from datasets import load_dataset
from scipy.stats import chi2_contingency

from rag_eval.data.jsonl import jsonl
from rag_eval.data.world.__main__ import main
from rag_eval.data.world.files import write_world
from rag_eval.data.world.language import KINDS, attributes
from rag_eval.data.world.prior import guess_before, guess_knowing_frequencies
from rag_eval.data.world.source import inhabitants, world

FILES = ["corpus/v0.jsonl", "manifest.json", "qa/dev.jsonl", "qa/test.jsonl", "qa/train.jsonl", "world.jsonl"]


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


def test_every_stated_fact_is_linked_to_its_sentence(tmp_path: Path) -> None:
    write_world("ci", 0, tmp_path)
    values = {row["name"]: row for row in map(json.loads, (tmp_path / "world.jsonl").read_text(encoding="utf-8").splitlines())}
    n = 0
    for row in map(json.loads, (tmp_path / "corpus" / "v0.jsonl").read_text(encoding="utf-8").splitlines()):
        for fact in row["meta"]["facts"]:
            assert values[fact["subject"]]["values"][fact["attribute"]] == fact["value"]
            assert values[fact["subject"]]["unstated"] != fact["attribute"]
            sentence = row["text"][fact["start"] : fact["end"]]
            assert fact["value"] in sentence
            assert sentence.endswith(".")
            n += 1
    assert n == 32 * (len(attributes()) - 1)


def test_bits_and_priors_are_those_of_the_pools(tmp_path: Path) -> None:
    manifest = write_world("ci", 0, tmp_path)
    assert manifest["bits"]["total"] == pytest.approx(sum(manifest["bits"]["by_attribute"].values()))
    inheritance = next(one for one in attributes() if one.name == "inheritance")
    stated = sum(one.unstated != "inheritance" for one in inhabitants("ci", 0))
    assert manifest["bits"]["by_attribute"]["inheritance"] == pytest.approx(stated * inheritance.bits)
    test = world("ci", 0).test
    assert 0 < guess_before(test) < guess_knowing_frequencies(test) < 0.35


def test_values_do_not_depend_on_names() -> None:
    """The leakage guarantee's first layer: over 1,000 diseases no value goes with a kind of name."""
    people = list(inhabitants("base", 0))
    small = [one for one in attributes() if len(one.values) <= 12]
    assert len(small) >= 2
    for attribute in small:
        table = [
            [sum(one.name.endswith(kind) and one.values[attribute.name] == value for one in people) for value in attribute.values]
            for kind in KINDS
        ]
        assert chi2_contingency(table).pvalue > 0.001


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "out= is missing"),
        (["out=x", "preset=huge"], "preset=huge: no such preset; choices: ci, laptop"),
        (["out=x", "seed=-1"], "seed: expected a whole number"),
        (["out=x", "seed=1000000"], "dataset.seed must be below 1,000,000"),
        (["out=full", "preset=ci"], "holds something already"),
        (["colour=red"], "expected preset=VALUE"),
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
