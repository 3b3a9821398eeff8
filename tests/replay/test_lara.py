"""LaRA's layout: a question is the same for every model and system, whatever file it stands in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag_eval.data.sources.lara import lara
from rag_eval.errors import DataError
from rag_eval.replay.lara import lara_answers


def write(folder: Path, name: str, prediction: str, gold: str = "The king.", file: str = "Emma.txt") -> None:
    row = {"type": "novel", "file": file, "context_order": 0, "question": "Who?", "prediction": prediction, "ground_truth": gold}
    (folder / name).write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")


def test_questions_come_once_and_each_system_has_its_answer(tmp_path: Path) -> None:
    write(tmp_path, "rag_preds_m_128k_book_location.jsonl", "A queen.")
    write(tmp_path, "full_preds_m_128k_book_location.jsonl", "A king.")
    write(tmp_path, "full_preds_m_128k_paper_location.jsonl", "x", file="p.md")
    dataset = lara(str(tmp_path))
    assert [(one.id, one.answers, one.cluster) for one in dataset.test] == [
        ("Emma.txt/0", ("The king.",), "novel/Emma.txt"),
        ("p.md/0", ("The king.",), "novel/p.md"),
    ]
    assert lara_answers(str(tmp_path), "m", "rag")["Emma.txt/0"].text == "A queen."
    assert set(lara_answers(str(tmp_path), "m", "full")) == {"Emma.txt/0", "p.md/0"}


def test_an_answer_may_hold_what_separates_lines_in_unicode(tmp_path: Path) -> None:
    write(tmp_path, "rag_preds_m_128k_book_location.jsonl", "A\u2028queen.\x85")
    assert lara_answers(str(tmp_path), "m", "rag")["Emma.txt/0"].text == "A\u2028queen.\x85"


def test_files_that_disagree_and_models_that_are_not_there_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "rag_preds_m_128k_book_location.jsonl", "A queen.")
    with pytest.raises(DataError, match="models there: m"):
        lara_answers(str(tmp_path), "gpt", "rag")
    write(tmp_path, "full_preds_m_128k_book_location.jsonl", "A king.", gold="Another.")
    with pytest.raises(DataError, match="disagree"):
        lara(str(tmp_path))
    write(tmp_path, "rag_preds_n_128k_book_location.jsonl", "x")
    (tmp_path / "rag_preds_n_128k_book_location.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="jsonl:1: expected an object"):
        lara_answers(str(tmp_path), "n", "rag")
