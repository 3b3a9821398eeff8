import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from rag_eval.cli.errors import OnceAProcess
from rag_eval.data.sources.squad import squad
from rag_eval.errors import DataError
from rag_eval.types import Document, Example
from tests.claims import every

FRANCE = {"id": "a", "question": "Where?", "answers": [{"text": "France"}, {"text": "."}, {"text": "France"}]}
NOBODY = {"id": "b", "question": "Who?", "answers": [], "plausible_answers": [{"text": "Rollo"}], "is_impossible": True}


def article(title: str, *qas: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": "First.", "qas": []}, {"context": "Second.", "qas": list(qas)}]}


def written(folder: Path, content: Any) -> str:
    path = folder / "file.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_the_runs_of_a_sweep_say_once_what_they_leave_out_of_the_same_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(once := OnceAProcess())
    for name in ("one.json", "one.json", "other.json"):
        path = tmp_path / name
        path.write_text(json.dumps({"data": [article("Normans", FRANCE)]}))
        squad(str(path), 0.0, 0)
    caplog.handler.removeFilter(once)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert every("left out 1 of 3 answers that hold no word" in one for one in said)


def test_a_warning_of_a_run_is_not_held_back() -> None:
    records = [logging.LogRecord(name, logging.WARNING, "", 0, "the same", None, None) for name in ("rag_eval.checks",) * 2]
    assert every(map(OnceAProcess().filter, records))


@pytest.fixture
def real() -> Path:
    if "RAG_EVAL_DATA" not in os.environ:
        pytest.skip("RAG_EVAL_DATA is not set: no folder with real data")
    return Path(os.environ["RAG_EVAL_DATA"])


def test_paragraphs_are_documents_and_the_article_is_the_cluster(tmp_path: Path) -> None:
    dataset = squad(written(tmp_path, {"data": [article("Normans", FRANCE | {"is_impossible": False}, NOBODY)]}), 0.0, 0)
    assert dataset.name == "squad-file"
    assert dataset.documents == (Document("Normans#0", "First.", "Normans"), Document("Normans#1", "Second.", "Normans"))
    assert dataset.test == (
        Example("a", "Where?", ("France",), ("Normans#1",), "Normans"),
        Example("b", "Who?", (), (), "Normans"),
    )


def test_an_article_is_an_answer_and_a_sign_is_one_where_there_is_no_other(tmp_path: Path) -> None:
    texts = (["A", "."], ["+"])
    questions = [{"id": str(at), "question": "?", "answers": [{"text": text} for text in each]} for at, each in enumerate(texts)]
    dataset = squad(written(tmp_path, {"data": [article("Signs", *questions)]}), 0.0, 0)
    assert [example.answers for example in dataset.test] == [("A",), ("+",)]


def test_a_file_of_version_1_1_and_without_titles_is_read_too(tmp_path: Path) -> None:
    untitled = {"paragraphs": [{"context": "Text.", "qas": [FRANCE]}]}
    dataset = squad(written(tmp_path, {"data": [untitled]}), 0.0, 0)
    assert dataset.documents == (Document("article 0#0", "Text.", ""),)
    assert dataset.test[0].cluster == "article 0"


def test_articles_of_one_title_are_told_apart_and_the_first_keeps_its_name(tmp_path: Path) -> None:
    content = {"data": [article(title, FRANCE | {"id": f"q{at}"}) for at, title in enumerate(["Java", "Java", "Java (2)", "Java"])]}
    dataset = squad(written(tmp_path, content), 0.0, 0)
    names = ["Java", "Java (3)", "Java (2)", "Java (4)"]
    assert [document.id for document in dataset.documents] == [f"{name}#{at}" for name in names for at in (0, 1)]
    assert {document.title for document in dataset.documents} == {"Java", "Java (2)"}
    assert [(one.cluster, one.evidence) for one in dataset.test] == [(name, (f"{name}#1",)) for name in names]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "data: must be a list of objects but is missing"),
        ({"data": [7]}, "data[0] must be an object but is a number"),
        ({"data": [{"title": "x", "paragraphs": None}]}, "data[0] paragraphs: must be a list of objects but is null"),
        ({"data": [{"title": "x", "paragraphs": [{"qas": []}]}]}, "data[0] paragraphs[0] id x#0 text: must be a text but is"),
        ({"data": [article("x", FRANCE | {"answers": []})]}, "data[0] paragraphs[1] qas[0] id a answers: is empty"),
        ({"data": [article("x", FRANCE | {"answers": [{}]})]}, "data[0] paragraphs[1] qas[0] id a answers: must be a text but"),
        ({"data": [article("x", {"id": "a"})]}, "data[0] paragraphs[1] qas[0] id a lacks question; found "),
        (
            {"data": [article("x", FRANCE), article("y", FRANCE)]},
            "data[1] paragraphs[1] qas[0] id a id: stands at {path} data[0] paragraphs[1] qas[0] already, with different content",
        ),
    ],
)
def test_a_fault_is_named_by_its_place_in_the_file(tmp_path: Path, content: Any, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataError) as raised:
        squad(path, 0.0, 0)
    assert str(raised.value).startswith(f"{path} {message.replace('{path}', path)}")


def test_broken_json_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"data": [\n{"title": }]}')
    with pytest.raises(DataError, match=r"file.json is broken JSON: Expecting value at line 2 column 11$"):
        squad(str(path), 0.0, 0)


@pytest.mark.real
def test_squad_2_is_read_whole_and_split_by_article(real: Path) -> None:
    path = str(real / "squad2_halfdev" / "dev-v2.0.json")
    whole, halved = squad(path, 0.0, 0), squad(path, 0.5, 0)
    assert (len(whole.documents), len(whole.train), len(whole.dev), len(whole.test)) == (646, 0, 0, 6078)
    assert sum(not example.is_answerable for example in whole.test) == 3168
    parts = [{example.cluster for example in part} for part in (halved.train, halved.dev, halved.test)]
    assert [len(part) for part in parts] == [7, 1, 8]
    assert len(set.union(*parts)) == 16
    assert len(halved.train) + len(halved.dev) + len(halved.test) == 6078


@pytest.mark.real
def test_squad_2_is_divided_by_question_with_as_many_lessons_of_others(real: Path) -> None:
    path = str(real / "squad2_halfdev" / "dev-v2.0.json")
    own, control = (squad(path, 0.5, 0, "question", lessons=lessons) for lessons in ("own", "others"))
    assert [len(part) for part in (own.train, own.dev, own.test, own.others)] == [1_786, 373, 1_790, 2_127]
    assert [len({one.cluster for one in part}) for part in (own.train, own.dev, own.test, own.others)] == [10, 1, 10, 5]
    assert [sum(not one.is_answerable for one in part) for part in (own.train, control.train, own.test)] == [902, 902, 903]
    assert (len(control.train), control.test, control.counterpart) == (1_786, own.test, own.fingerprint)


@pytest.mark.real
def test_every_answer_of_xquad_stands_in_its_evidence(real: Path) -> None:
    dataset = squad(str(real / "xquad" / "xquad.en.json"), 0.0, 0)
    text = {document.id: document.text for document in dataset.documents}
    assert (len(dataset.documents), len(dataset.test)) == (240, 1190)
    assert every(answer in text[example.evidence[0]] for example in dataset.test for answer in example.answers)
