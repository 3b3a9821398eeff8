"""BEIR's layout in a folder, and MTEB's of the same, as the hub keeps it, in a folder too."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import datasets
import pytest

from rag_eval.data.sources.beir import beir
from rag_eval.data.sources.hub_beir import hub_beir
from rag_eval.errors import DataError
from rag_eval.types import Document, Example, Grading, QADataset

CORPUS = [{"_id": f"d{n}", "title": f"T{n}", "text": f"Text {n}.", "metadata": {}} for n in range(4)]
QUERIES = [{"_id": f"q{n}", "text": f"What is {n}?"} for n in range(4)]
HEADER = "query-id\tcorpus-id\tscore\n"
TEST = f"{HEADER}q2\td1\t2\nq0\td0\t1\nq2\td3\t1\nq2\td2\t0\nq3\td0\t0\n"


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "task"
    (root / "qrels").mkdir(parents=True)
    (root / "corpus.jsonl").write_text(lines(CORPUS))
    (root / "queries.jsonl").write_text(lines(QUERIES))
    (root / "qrels" / "test.tsv").write_text(TEST)
    return root


def load(root: Path, train: str | None = None, train_share: float = 0.0) -> QADataset:
    return beir(str(root), "test", train, None, train_share, 0)


def fault(root: Path, *more: Any) -> str:
    with pytest.raises(DataError) as raised:
        load(root, *more)
    return str(raised.value).replace(f"{root}/", "")


def test_relevant_documents_are_evidence_and_there_are_no_answers(task: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = load(task)
    assert found.name == "beir-task"
    assert found.documents[0] == Document("d0", "Text 0.", "T0")
    assert found.test == (
        Example("q2", "What is 2?", (), ("d1", "d3"), "q2", grading=Grading(grades={"d1": 2, "d3": 1}, retrieval_only=True)),
        Example("q0", "What is 0?", (), ("d0",), "q0", grading=Grading(retrieval_only=True)),
    )
    assert "1 queries of test are left out: no document is relevant to them (first: q3)" in caplog.text


def test_a_query_that_is_a_document_is_not_to_find_itself_unless_it_is_judged_to_be_relevant(task: Path) -> None:
    (task / "queries.jsonl").write_text(lines([*QUERIES, {"_id": "d1", "text": "Text 1."}, {"_id": "d2", "text": "Text 2."}]))
    (task / "qrels" / "test.tsv").write_text(f"{HEADER}d1\td0\t1\nd2\td2\t1\nq0\td0\t1\n")
    assert [one.grading.itself for one in load(task).test] == [("d1",), (), ()]


def test_equal_judgements_are_no_grades(task: Path) -> None:
    equal, graded = "q0\td0\t3\nq0\td1\t3.0\n", "q1\td1\t0.5\nq1\td2\t2\nq1\td2\t2\nq1\td3\t-1\n"
    (task / "qrels" / "test.tsv").write_text(HEADER + equal + graded)
    found = load(task).test
    assert [one.evidence for one in found] == [("d0", "d1"), ("d1", "d2")]
    assert [one.grading.grades for one in found] == [{}, {"d1": 0.5, "d2": 2}]


def test_judgements_for_training_are_a_split_of_their_own(task: Path) -> None:
    (task / "qrels" / "train.tsv").write_text(f"{HEADER}q1\td1\t1\r\n\n")
    found = load(task, "train")
    assert [[one.id for one in part] for part in (found.train, found.test)] == [["q1"], ["q2", "q0"]]
    assert [len(part) for part in (load(task, None, 0.5).train, load(task, None, 0.5).test)] == [1, 1]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "qrels/test.tsv",
            "q0\td0\t1\n",
            r"qrels/test.tsv:1 must be the header query-id corpus-id score, with tabs between, but is 'q0\td",
        ),
        ("qrels/test.tsv", f"{HEADER}q0 d0 1\n", "qrels/test.tsv:2 must be query-id corpus-id score, with tabs between, but is 'q0 d0 1'"),
        ("qrels/test.tsv", f"{HEADER}q0\td0\tyes\n", "qrels/test.tsv:2 score: must be a number but is 'yes'"),
        ("qrels/test.tsv", f"{HEADER}q0\td0\tnan\n", "qrels/test.tsv:2 score: must be a number but is 'nan'"),
        ("qrels/test.tsv", f"{HEADER}q0\td0\t1\nq0\td0\t2\n", "qrels/test.tsv:3 score: is 2 for 'd0', which has 1 for this query"),
        ("qrels/test.tsv", f"{HEADER}q9\td0\t1\n", "qrels/test.tsv:2 query-id: there is no query 'q9'"),
        ("qrels/test.tsv", "", "qrels/test.tsv is empty (0 bytes); expected TSV"),
        ("qrels/test.tsv", HEADER, "beir-task: 0 examples"),
        ("qrels/test.tsv", f"{HEADER}q0\td9\t1\n", "beir-task: the evidence of 1 of 1 questions is not in the corpus"),
        ("corpus.jsonl", lines([*CORPUS, CORPUS[0]]), "corpus.jsonl:5 id d0 id: stands at corpus.jsonl:1 already"),
        ("corpus.jsonl", lines([{"_id": "d0"}]), "corpus.jsonl:1 id d0 lacks text; found 'id'"),
        ("queries.jsonl", lines([QUERIES[0] | {"text": " "}, QUERIES[2], QUERIES[3]]), "queries.jsonl:1 id q0 question: is empty"),
        ("queries.jsonl", '{"_id": ', "queries.jsonl:1 is broken JSON"),
    ],
)
def test_a_fault_is_named_by_file_and_line(task: Path, file: str, content: str, message: str) -> None:
    (task / file).write_text(content)
    found = fault(task)
    assert found.startswith(message)
    assert "\n" not in found


def test_missing_files_are_named_together(tmp_path: Path) -> None:
    assert fault(tmp_path / "none").startswith(
        "3 problems in corpus.jsonl and queries.jsonl and qrels/test.tsv, first: corpus.jsonl does not"
    )


README = """---
configs:
- {config_name: default, data_files: [{split: test, path: qrels/test.jsonl}]}
- {config_name: corpus, data_files: [{split: corpus, path: corpus.jsonl}]}
- {config_name: queries, data_files: [{split: queries, path: queries.jsonl}]}
---
"""


def test_the_layout_of_the_hub_gives_the_same_rows(task: Path) -> None:
    pairs = [dict(zip(HEADER.split(), line.split("\t"), strict=True)) for line in TEST.splitlines()[1:]]
    (task / "qrels" / "test.jsonl").write_text(lines([pair | {"score": float(pair["score"])} for pair in pairs]))
    (task / "README.md").write_text(README)
    found = hub_beir(str(task), None, "test", None, None, 0.0, 0)
    assert (found.name, found.documents, found.test) == ("hub-task", load(task).documents, load(task).test)
    with pytest.raises(DataError, match="revision is 'main'; a hub id needs the commit"):
        hub_beir("mteb/scifact", "main", "test", None, None, 0.0, 0)
