"""However a question spells the name of a file, its evidence is that file."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from rag_eval.data.sources.folder import folder
from rag_eval.errors import DataError
from rag_eval.types import Grading, QADataset, Span

COMPOSED = "Größe café.txt"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def load(root: Path, *rows: dict[str, Any], files: tuple[str, ...] = ("guides/plan.txt", DECOMPOSED)) -> QADataset:
    for name in files:
        (root / "D" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "D" / name).write_text("Text.")
    asked = ({"id": str(at), "question": f"What is {at}?", "answers": "x"} | row for at, row in enumerate(rows))
    (root / "q.jsonl").write_text("\n".join(map(json.dumps, asked)))
    return folder(str(root / "D"), str(root / "q.jsonl"), 0.0, 0)


@pytest.mark.parametrize(
    "name", ["guides/plan.txt", "./guides/plan.txt", "guides\\plan.txt", " guides//plan.txt ", "guides/./x/../plan.txt"]
)
def test_slashes_dots_and_blanks_do_not_hide_a_file(tmp_path: Path, name: str) -> None:
    found = load(tmp_path, {"evidence": name}, {"evidence": [name, "guides/plan.txt"]})
    assert [(one.evidence, one.cluster) for one in found.test] == [(("guides/plan.txt",), "guides/plan.txt")] * 2


@pytest.mark.parametrize("name", [COMPOSED, DECOMPOSED])
def test_letters_are_the_same_composed_or_not_and_documents_are_called_by_composed_ones(tmp_path: Path, name: str) -> None:
    found = load(tmp_path, {"evidence": name})
    assert [one.id for one in found.documents] == [COMPOSED, "guides/plan.txt"]
    assert found.documents[0].title == "Größe café"
    assert found.test[0].evidence == (COMPOSED,)


def test_names_within_the_meta_of_a_question_are_spelt_in_any_way_too(tmp_path: Path) -> None:
    spans = [{"source": f"./{DECOMPOSED}", "start": 0, "end": 2}]
    found = load(tmp_path, {"evidence": COMPOSED, "meta": {"spans": spans, "same_as": {"guides\\plan.txt": [DECOMPOSED]}, "kind": "x"}})
    assert found.test[0].grading == Grading(spans=(Span(COMPOSED, 0, 2),), same_as={"guides/plan.txt": (COMPOSED,)})
    assert found.test[0].meta == {"kind": "x"}


def test_two_files_whose_names_look_the_same_stay_two_and_a_third_spelling_is_refused(tmp_path: Path) -> None:
    found = load(tmp_path, {"evidence": COMPOSED}, {"evidence": DECOMPOSED}, files=(COMPOSED, DECOMPOSED))
    assert [one.evidence for one in found.test] == [(COMPOSED,), (DECOMPOSED,)]
    with pytest.raises(DataError, match=r"q.jsonl:1 id 0 evidence: './Gr\\xf6\\xdfe caf\\xe9.txt' may be any of 'Gro\\u0308\\xdfe"):
        load(tmp_path, {"evidence": f"./{COMPOSED}"})


def test_a_name_of_no_file_stays_as_it_was_written(tmp_path: Path) -> None:
    assert load(tmp_path, {"evidence": "guides/plan.txt"}, {"evidence": " none.txt"}).test[1].evidence == (" none.txt",)
