"""The stub's slips are exactly what the filters drop."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from experiments.lessons_study import SLIPS, STUB, main, rows, stub_answer
from rag_eval.augment.command import make, read_plan
from rag_eval.augment.prompts import questions_prompt
from rag_eval.testing.chat_endpoint import serving
from rag_eval.types import Document

DOCUMENTS = [
    Document(f"d{at}", " ".join(f"{ordinal} w{at} one two three four five six seven eight nine." for ordinal in "ABCD"), f"Disease {at}")
    for at in range(30)
]


def slip(document: Document) -> str:
    user = questions_prompt(document, 5).messages[1][1]
    return SLIPS[int(sha256(user.encode()).hexdigest(), 16) % len(SLIPS)]


def test_every_slip_is_found_by_the_filter_that_is_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [{"id": one.id, "title": one.title, "text": one.text} for one in DOCUMENTS]
    asked = [{"id": f"q-{one.id}", "question": f"What are the symptoms of {one.title}?", "answers": ["x"]} for one in DOCUMENTS]
    for name, lines in (("d", texts), ("q", asked)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with serving(stub_answer) as endpoint:
        where = ["generator=openai", "generator.model=stub", f"generator.base_url={endpoint.url}", "generator.api_key_env=null"]
        data = ["dataset=jsonl", "dataset.documents=d.jsonl", "dataset.questions=q.jsonl"]
        made = make(*read_plan([*data, *where, "out=made", "n_restated=0"]))
    slips, counts = Counter(map(slip, DOCUMENTS)), made.lessons.counts
    assert set(slips) == set(SLIPS)
    assert (counts.n_malformed, counts.n_duplicates) == (slips["malformed"], slips["asked twice"])
    assert (counts.n_unanswerable, counts.n_leaks) == (slips["not in the passage"], slips["a question of the test"])
    assert counts.n_failed == 0
    assert counts.n_lessons == 4 * len(DOCUMENTS) - (len(DOCUMENTS) - slips["good"])
    table = {str(row[0]): row[1] for row in rows({STUB: made})}
    assert str(table["pairs dropped: asked before"]).endswith(f"({counts.n_duplicates} of {counts.n_pairs})")


def test_without_data_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAG_EVAL_DATA", raising=False)
    assert main([]) == 2
    assert "holds medquad_gard" in capsys.readouterr().err
