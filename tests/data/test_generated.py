"""Lessons are added to the dataset that they were made of, and to no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag_eval.data.sources.generated import generated
from rag_eval.errors import DataError
from rag_eval.fingerprint import fingerprint
from rag_eval.types import Document, Example, QADataset, Spend

TEST = (Example("q1", "Where is the Nile?", ("Egypt",), ("nile",), "nile"),)
CORPUS = (Document("nile", "The Nile is in Egypt."),)
OF = QADataset("rivers", fingerprint(CORPUS, (), (), TEST), CORPUS, (), (), TEST)
LESSON = {"id": "nile#lesson-1", "question": "Which land has the Nile?", "answers": ["Egypt"], "evidence": ["nile"], "split": "train"}
RESTATED = {"document": "nile", "text": "Egypt has the Nile."}


def written(folder: Path, lessons: list[dict[str, Any]], restated: list[dict[str, Any]]) -> str:
    for name, rows in (("lessons", lessons), ("restated", restated)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(folder)


def test_lessons_are_trained_on_and_the_questions_stay_the_same(tmp_path: Path) -> None:
    found = generated(OF, written(tmp_path, [LESSON], [RESTATED]))
    assert [(one.id, one.cluster, one.answers) for one in found.train] == [("nile#lesson-1", "nile", ("Egypt",))]
    assert found.restated == {"nile": ("Egypt has the Nile.",)}
    assert (found.test, found.documents, found.counterpart) == (OF.test, OF.documents, OF.fingerprint)


def test_other_lessons_or_restatements_are_another_dataset(tmp_path: Path) -> None:
    both, questions = (generated(OF, written(tmp_path, [LESSON], texts)) for texts in ([RESTATED], []))
    assert len({OF.fingerprint, both.fingerprint, questions.fingerprint}) == 3


def test_what_the_writing_took_is_known_from_the_manifest_in_whole_or_not_at_all(tmp_path: Path) -> None:
    path = written(tmp_path, [LESSON], [])
    unknown = generated(OF, path).written
    assert unknown is not None
    assert (unknown.spend, unknown.is_hosted) == (Spend(None), False)
    spend = {"seconds": 9.0, "n_prompt_tokens": 70, "n_output_tokens": 3, "cached": True, "reused_s": 8.0}
    (tmp_path / "manifest.json").write_text(json.dumps({"spend": spend, "is_hosted": True}), encoding="utf-8")
    known = generated(OF, path).written
    assert known is not None
    assert (known.spend, known.is_hosted) == (Spend(9.0, n_prompt_tokens=70, n_output_tokens=3), True)
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"manifest.json: expected what `rag-eval lessons` writes"):
        generated(OF, path)


def test_the_same_writing_is_the_same_whatever_it_is_added_to_and_other_writing_is_other(tmp_path: Path) -> None:
    def id_of(of: QADataset = OF) -> str:
        found = generated(of, str(tmp_path)).written
        assert found is not None
        return found.id

    written(tmp_path, [LESSON], [])
    first = id_of()
    assert id_of(replace(OF, dev=(replace(TEST[0], id="q2"),))) == first
    (tmp_path / "manifest.json").write_text('{"spend": {"seconds": 9.0}}', encoding="utf-8")
    second = id_of()
    written(tmp_path, [LESSON], [RESTATED])
    third = id_of()
    written(tmp_path, [{**LESSON, "answers": ["Sudan"]}], [RESTATED])
    assert len({first, second, third, id_of()}) == 4


def test_a_lesson_may_name_its_only_document_without_a_list(tmp_path: Path) -> None:
    assert generated(OF, written(tmp_path, [{**LESSON, "evidence": "nile"}], [])).train[0].evidence == ("nile",)


@pytest.mark.parametrize(
    ("lessons", "restated", "words"),
    [
        ([], [], "neither training questions nor restatements"),
        ([{**LESSON, "evidence": ["rhine"]}], [], r"lessons.jsonl:1 is made of 'rhine', which is no document of rivers"),
        ([{**LESSON, "evidence": "rhine"}], [], r"lessons.jsonl:1 is made of 'rhine', which is no document of rivers$"),
        ([{**LESSON, "evidence": 5}], [], r"lessons.jsonl:1 is made of '5', which is no document of rivers$"),
        ([{**LESSON, "id": "q1"}], [], "id 'q1' is a question of rivers already"),
        ([{**LESSON, "id": ["l"]}], [], "id: must be a text but is a list$"),
        ([{**LESSON, "answers": []}], [], "answers: is empty"),
        ([LESSON], [{"document": "rhine", "text": "x"}], r"restated.jsonl:1 restates 'rhine'"),
        ([LESSON], [{"document": ["d"], "text": "x"}], r"restated.jsonl:1 restates \['d'\], which is no document of rivers$"),
        ([LESSON], [{"document": "nile", "text": " "}], "text: must be a text"),
    ],
)
def test_what_does_not_belong_to_the_documents_is_refused(
    tmp_path: Path, lessons: list[dict[str, Any]], restated: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        generated(OF, written(tmp_path, lessons, restated))


def test_a_folder_without_lessons_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        generated(OF, str(tmp_path / "none"))
