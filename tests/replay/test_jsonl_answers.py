"""Recorded answers are read as they are, and a fault is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag_eval.errors import DataError
from rag_eval.replay.jsonl import jsonl_answers


def written(folder: Path, *lines: object) -> str:
    file = folder / "answers.jsonl"
    file.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines), encoding="utf-8")
    return str(file)


def test_what_was_recorded_is_kept_and_what_was_not_is_none(tmp_path: Path) -> None:
    answers = jsonl_answers(
        written(
            tmp_path,
            {"id": "a", "prediction": "Egypt", "contexts": ["d1", {"text": "The Nile."}], "latency_s": 0.5, "n_output_tokens": 2, "x": 1},
            {"id": 7, "prediction": None},
        )
    )
    first, other = answers["a"], answers["7"]
    assert first.contexts is not None
    assert [document.text for document in first.contexts] == ["", "The Nile."]
    assert (first.text, first.latency_s, first.n_prompt_tokens, first.n_output_tokens) == ("Egypt", 0.5, None, 2)
    assert (other.text, other.contexts, other.latency_s) == (None, None, None)


def test_a_misnamed_field_is_pointed_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    jsonl_answers(written(tmp_path, {"id": "a", "prediction": "x", "latency": 0.5, "note": "fine"}))
    assert "answers.jsonl:1: the field 'latency' is ignored; is it 'latency_s'?" in caplog.text
    assert "note" not in caplog.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"prediction": "x"}, "answers.jsonl:2 id: field required"),
        ({"id": "a", "prediction": 3}, "answers.jsonl:2 prediction"),
        ({"id": "a", "prediction": "x", "latency_s": -1}, "answers.jsonl:2 latency_s"),
        ('{"id": "a", "prediction": "x", "latency_s": NaN}', "answers.jsonl:2"),
        ("{", "answers.jsonl:2 line"),
        ({"id": "first", "prediction": "x"}, "answers.jsonl:2 id 'first': stands at line 1 already"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(DataError, match=said.replace("(", "\\(")):
        jsonl_answers(written(tmp_path, {"id": "first", "prediction": "y"}, line))


def test_a_file_that_is_not_there_or_empty_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        jsonl_answers(str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match="no recorded answers"):
        jsonl_answers(written(tmp_path, ""))
