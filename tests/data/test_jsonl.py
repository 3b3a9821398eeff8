import json
import logging
from pathlib import Path
from typing import Any

import pytest

from rag_eval.data.sources.jsonl import jsonl
from rag_eval.errors import DataError
from rag_eval.types import Document, Example, QADataset, Turn

pytestmark = pytest.mark.flow

NILE = {"id": "d1", "title": "Nile", "text": "The Nile flows through Egypt."}
RHINE = {"id": "d2", "text": "The Rhine ends in the Netherlands."}
WHERE = {"id": "q1", "question": "Where does the Nile flow?", "answers": ["Egypt"], "evidence": ["d1"]}


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def load(folder: Path, documents: bytes, questions: bytes, train_share: float = 0.0, seed: int = 0) -> QADataset:
    (folder / "documents.jsonl").write_bytes(documents)
    (folder / "questions.jsonl").write_bytes(questions)
    return jsonl(str(folder / "documents.jsonl"), str(folder / "questions.jsonl"), train_share, seed)


def fault(folder: Path, documents: bytes, questions: bytes, train_share: float = 0.0) -> str:
    """The error's text with the folder taken away."""
    with pytest.raises(DataError) as raised:
        load(folder, documents, questions, train_share)
    return str(raised.value).replace(f"{folder}/", "")


def test_every_field_arrives(tmp_path: Path) -> None:
    full = {
        "id": 7,
        "question": "And the other?",
        "answers": ["the Netherlands", "Holland", "Holland"],
        "evidence": ["d2", "d1", "d2"],
        "split": "test",
        "cluster": "rivers",
        "history": [{"question": "Where does the Nile flow?", "answer": "Egypt"}],
        "meta": {"kind": "follow-up", "hops": [1, 2.5, None]},
        "comment": "an unknown field",
    }
    dataset = load(tmp_path, lines(NILE, RHINE), lines(full))
    assert dataset.documents == (Document("d1", NILE["text"], "Nile"), Document("d2", RHINE["text"], ""))
    assert dataset.test == (
        Example(
            id="7",
            question="And the other?",
            answers=("the Netherlands", "Holland"),
            evidence=("d2", "d1"),
            cluster="rivers",
            history=(Turn("Where does the Nile flow?", "Egypt"),),
            meta={"kind": "follow-up", "hops": [1, 2.5, None]},
        ),
    )


def test_a_bare_text_is_one_answer_and_null_is_an_absent_field(tmp_path: Path) -> None:
    bare = {"id": "q", "question": "Who?", "answers": "Egypt", "evidence": None, "history": None, "meta": None, "cluster": None}
    assert load(tmp_path, lines(NILE), lines(bare)).test == (Example("q", "Who?", ("Egypt",), cluster="q"),)


NUMBERS = [
    (7, ["7"]),
    (0, ["0"]),
    (True, ["true"]),
    ([False, 12, "x"], ["false", "12", "x"]),
    (0.5, ["0.5"]),
    (3.0, ["3"]),
    (1e-7, ["0.0000001"]),
]


@pytest.mark.parametrize(("given", "answers"), NUMBERS)
def test_numbers_and_truth_values_are_answers_as_texts(tmp_path: Path, given: Any, answers: list[str]) -> None:
    assert load(tmp_path, lines(NILE), lines(WHERE | {"answers": given})).test[0].answers == tuple(answers)


def test_a_title_that_cannot_be_seen_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, lines(NILE | {"title": "\u200b \u200e"}), lines(WHERE)).documents[0].title == ""


def test_a_question_is_unanswerable_only_where_the_row_says_so(tmp_path: Path) -> None:
    bare, empty = ({"id": id, "question": f"Who is {id}?", "unanswerable": True} for id in "ab")
    assert [example.answers for example in load(tmp_path, lines(NILE), lines(bare, empty | {"answers": []})).test] == [(), ()]


def test_questions_go_to_the_split_that_they_name(tmp_path: Path) -> None:
    rows = [WHERE | {"id": split, "question": f"In {split}?", "split": split} for split in ("test", "train", "dev")]
    dataset = load(tmp_path, lines(NILE), lines(*rows), train_share=0.9)
    assert [[one.id for one in part] for part in (dataset.train, dataset.dev, dataset.test)] == [["train"], ["dev"], ["test"]]


def test_without_splits_questions_about_one_document_stay_together(tmp_path: Path) -> None:
    documents = [{"id": f"d{at}", "text": "Text."} for at in range(20)]
    rows = [{"id": f"q{at}", "question": f"Question {at}?", "answers": "x", "evidence": f"d{at % 20}"} for at in range(60)]
    dataset = load(tmp_path, lines(*documents), lines(*rows), train_share=0.5)
    parts = [{example.cluster for example in part} for part in (dataset.train, dataset.dev, dataset.test)]
    assert [len(part) for part in parts] == [9, 1, 10]
    assert len(set.union(*parts)) == 20
    assert [len(part) for part in (dataset.train, dataset.dev, dataset.test)] == [27, 3, 30]


def test_byte_order_mark_windows_lines_blank_lines_and_a_missing_last_newline_are_fine(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    documents = mark + lines(NILE, RHINE).replace(b"\n", b"\r\n") + b"\r\n"
    plain = load(tmp_path, lines(NILE, RHINE), lines(WHERE))
    assert load(tmp_path, documents, mark + lines(WHERE).rstrip()) == plain


def test_letters_of_all_scripts_arrive_unchanged(tmp_path: Path) -> None:
    text = "e\u0301 é \u202eabc\u200b 한국 🦒 \u2028 <|im_start|>system"
    row = json.dumps(WHERE | {"question": text}, ensure_ascii=False).encode()
    assert load(tmp_path, lines(NILE), row).test[0].question == text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": " \t"}, "id q1 question: is empty"),
        ({"question": "\u200b\u2060"}, r"id q1 question: holds nothing that can be seen: '\u200b\u2060'"),
        ({"answers": "\u00ad\ufe0f"}, r"id q1 answers: holds nothing that can be seen: '\xad\ufe0f'"),
        ({"question": 5}, "id q1 question: must be a text but is a number"),
        ({"question": "a\0b"}, r"id q1 question: holds the character NUL: 'a\x00b'"),
        ({"question": "a\ud800b"}, r"id q1 question: holds half of a surrogate pair: 'a\ud800b'"),
        ({"answers": None}, "id q1 answers: is missing or null"),
        ({"answers": ""}, "id q1 answers: is empty; mark the row unanswerable: true"),
        ({"answers": []}, "id q1 answers: is empty; mark the row unanswerable: true"),
        ({"answers": ["Egypt", ""]}, "id q1 answers: is empty"),
        ({"answers": ["\u200b"]}, r"id q1 answers: holds nothing that can be seen: '\u200b'"),
        ({"answers": {"text": "Egypt"}}, "id q1 answers: must be a text or a list of texts but is an object"),
        ({"answers": [["Egypt"]]}, "id q1 answers: must be a text but is a list"),
        ({"unanswerable": True, "evidence": []}, "id q1 answers: must be empty in a row marked unanswerable: true but is ['Egypt']"),
        ({"unanswerable": True, "answers": []}, "id q1 evidence: must be empty in a row marked unanswerable: true but is ['d1']"),
        ({"unanswerable": "yes"}, "id q1 answers: unanswerable must be true or false but is 'yes'"),
        ({"split": "validation"}, "id q1 split: must be one of train, dev, test, others but is 'validation'"),
        ({"history": [{"question": "Who?"}]}, 'id q1 history: must be a list of {"question": ..., "answer": ...}'),
        ({"history": "Who?"}, 'id q1 history: must be a list of {"question": ..., "answer": ...}'),
        ({"history": [{"question": "Who?", "answer": ""}]}, "id q1 history: is empty"),
        ({"meta": [1]}, "id q1 meta: must be an object but is a list"),
        ({"meta": {"a": [{"b\0": 1}]}}, "id q1 meta: holds the character NUL"),
        ({"meta": {"a": [{"b": "\ud800"}]}}, "id q1 meta: holds half of a surrogate pair"),
        ({"evidence": [None]}, "id q1 evidence: must be a text but is null"),
        ({"id": None}, "id None id: must be a text but is null"),
        ({"id": True}, "id True id: must be a text but is true or false"),
    ],
)
def test_a_faulty_question_is_named_by_file_line_id_and_field(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    found = fault(tmp_path, lines(NILE), lines(WHERE | {"id": "q0", "question": "Where?"}, WHERE | change))
    assert found.startswith(f"questions.jsonl:2 {message}")
    assert "\n" not in found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "q1", }\n', "questions.jsonl:2 is broken JSON: Expecting property name enclosed in double quotes"),
        (b'{"id": "q1", "que', "questions.jsonl:2 is broken JSON: Unterminated string starting at at column 14; it is the last"),
        (b"[1]\n", "questions.jsonl:2 is not an object: expected one JSON object a line, found a list"),
        (b"null\n", "questions.jsonl:2 is not an object: expected one JSON object a line, found null"),
        (b'{"id": NaN}\n', "questions.jsonl:2 is not JSON: NaN is no number of JSON"),
        (b'{"id": -Infinity}\n', "questions.jsonl:2 is not JSON: -Infinity is no number of JSON"),
        (b'{"id": 1e999}\n', "questions.jsonl:2 is not JSON: the number 1e999 is too large"),
        (b'{"id": "q\xff"}\n', "questions.jsonl:2 byte 105 of the file is not UTF-8; re-encode the file as UTF-8"),
        (b"[" * 100_000 + b"\n", "questions.jsonl:2 is nested too deeply"),
        (b'{"id": "q1", "query": "Who?"}\n', "questions.jsonl:2 id q1 lacks question; found 'id', 'query'"),
        (b"{}\n", "questions.jsonl:2 id None lacks id, question; found nothing"),
    ],
)
def test_a_line_that_is_no_row_is_named_by_file_and_line(tmp_path: Path, line: bytes, message: str) -> None:
    first = lines(WHERE)
    assert len(first) == 96
    assert fault(tmp_path, lines(NILE), first + line).startswith(message)


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    other = {"id": "q1", "question": "Who?", "answers": ["Ra"]}
    assert fault(tmp_path, lines(NILE), lines(WHERE, WHERE)).endswith(
        "questions.jsonl:2 id q1 id: stands at questions.jsonl:1 already, with the same content"
    )
    assert "questions.jsonl:1 already, with different content" in fault(tmp_path, lines(NILE), lines(WHERE, other))
    twice = fault(tmp_path, lines(NILE, RHINE, NILE), lines(WHERE))
    assert twice.startswith("documents.jsonl:3 id d1 id: stands at documents.jsonl:1 already")


def test_a_split_in_some_rows_only_is_refused(tmp_path: Path) -> None:
    rows = lines(WHERE | {"split": "test"}, WHERE | {"id": "q2", "question": "Who?"})
    assert fault(tmp_path, lines(NILE), rows).startswith("questions.jsonl:2 id q2 split: is missing while other rows have one")


def test_all_problems_are_counted_and_twenty_are_shown(tmp_path: Path) -> None:
    rows = [{"id": f"q{at}", "question": "", "answers": []} for at in range(15)]
    first, *others = fault(tmp_path, lines(NILE, {"id": "d"}), lines(*rows)).splitlines()
    assert first == "31 problems in documents.jsonl and questions.jsonl, first: documents.jsonl:2 id d lacks text; found 'id'"
    assert [line.split()[0] for line in others[:3]] == ["questions.jsonl:1", "questions.jsonl:1", "questions.jsonl:2"]
    assert len(others) == 20  # 19 more, and how many were left out
    assert others[-1].strip() == "... and 11 more"
    assert fault(tmp_path, lines(NILE), lines(*rows)).startswith("30 problems in questions.jsonl, first: questions.jsonl:1 id q0")


def test_files_that_are_missing_empty_or_directories_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 problems in .*first: .*none\.jsonl does not exist .*\n.* is a directory; give"):
        jsonl(str(tmp_path / "none.jsonl"), str(tmp_path), 0.0, 0)
    assert fault(tmp_path, lines(NILE), b"") == "questions.jsonl is empty (0 bytes); expected JSON"


def test_nothing_to_search_or_to_ask_is_refused(tmp_path: Path) -> None:
    assert "the corpus is empty (0 documents" in fault(tmp_path, b"\n", lines(WHERE))
    blank = lines(NILE | {"text": " "}, RHINE | {"text": ""})
    assert "the corpus is empty (2 documents, none with text)" in fault(tmp_path, blank, lines(WHERE))
    assert "0 examples. Give at least one question." in fault(tmp_path, lines(NILE), b"\n")
    assert "0 examples to test, 1 to learn from" in fault(tmp_path, lines(NILE), lines(WHERE | {"split": "train"}))


def test_lost_evidence_is_warned_of_and_refused_when_all_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost = WHERE | {"id": "q2", "question": "Who?", "evidence": ["d1", "d9"]}
    with caplog.at_level(logging.WARNING):
        load(tmp_path, lines(NILE), lines(WHERE, lost))
    assert "evidence of 1 of 2 questions is not in the corpus (first: question q2, document 'd9')" in caplog.text
    assert "evidence of 1 of 1 questions is not in the corpus" in fault(tmp_path, lines(NILE), lines(lost | {"evidence": ["d9"]}))


def test_the_fingerprint_follows_every_row_and_its_part(tmp_path: Path) -> None:
    def of(document: dict[str, Any], question: dict[str, Any], split: str = "dev") -> str:
        extra = WHERE | {"id": "q2", "question": "Who?", "split": "test"}
        return load(tmp_path, lines(document), lines(question | {"split": split}, extra)).fingerprint

    same = of(NILE, WHERE)
    assert len(same) == 64
    assert same == of(dict(reversed(NILE.items())), WHERE | {"comment": "ignored"})
    others = [of(NILE | {"title": "nile"}, WHERE), of(NILE, WHERE | {"meta": {"a": 1}}), of(NILE, WHERE | {"cluster": "c"})]
    assert len({same, *others, of(NILE, WHERE, "train")}) == 5
