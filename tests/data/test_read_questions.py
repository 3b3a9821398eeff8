"""The same questions as JSON lines, CSV and Parquet, through dataset=jsonl."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet

from rag_eval.data.sources.jsonl import jsonl
from rag_eval.errors import DataError
from rag_eval.types import Example, Grading, QADataset, Turn

pytestmark = pytest.mark.flow

HEAD = "id,question,answers,evidence,unanswerable,cluster,history,meta,note\n"
CSV = (
    HEAD
    + 'q1,"Where, and\nhow?",Egypt|Misr,d1 | d2,,rivers,,,x\r\n'
    + 'q2,Which?,"[""a|b"", ""c""]","[""d1""]",FALSE,,"[{""question"": ""Who?"", ""answer"": ""Ra""}]","{""format"": ""json""}",\n'
    + "\n"
    + "q3,Who?,,,TRUE,,,,\n"
)
EXPECTED = (
    Example("q1", "Where, and\nhow?", ("Egypt", "Misr"), ("d1", "d2"), "rivers"),
    Example("q2", "Which?", ("a|b", "c"), ("d1",), "d1", (Turn("Who?", "Ra"),), grading=Grading(format="json")),
    Example("q3", "Who?", (), (), "q3"),
)


def load(folder: Path, name: str) -> QADataset:
    (folder / "d.jsonl").write_text('{"id": "d1", "text": "Text."}\n{"id": "d2", "text": "Text."}')
    return jsonl(str(folder / "d.jsonl"), str(folder / name), 0.0, 0)


def fault(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as raised:
        load(folder, name)
    return str(raised.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv_holds_every_field(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "q.CSV").write_bytes(mark + CSV.encode())
    assert load(tmp_path, "q.CSV").test == EXPECTED


TSV = 'id\tquestion\tanswers\tevidence\nq1\t"Where,\tand how?"\tEgypt|Misr\td1\nq2\tA "big" one?\tyes, it is\t\n'


def test_tsv_is_csv_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "q.TSV").write_text(TSV)
    assert load(tmp_path, "q.TSV").test == (
        Example("q1", "Where,\tand how?", ("Egypt", "Misr"), ("d1",), "d1"),
        Example("q2", 'A "big" one?', ("yes, it is",), (), "q2"),
    )
    assert fault(tmp_path, "r.tsv", b"id,question\n").startswith("r.tsv:1 lacks the columns id, question; found 'id,question'")
    assert fault(tmp_path, "r.tsv", b"") == "r.tsv is empty (0 bytes); expected TSV"


def test_cells_are_texts_and_only_an_empty_one_is_absent(tmp_path: Path) -> None:
    cells = ("NA", "null", "None", "007", "1871", "2020-01-01", "1e3", "true", "NaN", " ")
    (tmp_path / "q.csv").write_text("id,question,answers\n" + "".join(f"0{at},Which {at}?,{cell}x\n" for at, cell in enumerate(cells)))
    assert [(one.id, one.answers[0]) for one in load(tmp_path, "q.csv").test] == [(f"0{at}", f"{cell}x") for at, cell in enumerate(cells)]
    (tmp_path / "q.csv").write_text("id,question,answers\n" + "".join(f"0{at},Which {at}?,{cell}\n" for at, cell in enumerate(cells[:-1])))
    assert [(one.id, one.answers) for one in load(tmp_path, "q.csv").test] == [(f"0{at}", (cell,)) for at, cell in enumerate(cells[:-1])]


def test_rows_of_a_spreadsheet_that_hold_nothing_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("id,question,answers,\nq1,Who?,x,\n,,,\n,,\n")
    assert [one.id for one in load(tmp_path, "q.csv").test] == ["q1"]


def test_a_column_that_a_parquet_file_names_twice_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([one]) for one in ("q1", "Who?", "x", "y")], names=["id", "question", "answers", "answers"])
    parquet.write_table(table, tmp_path / "made")
    message = "q.parquet names the columns 'answers' more than once"
    assert fault(tmp_path, "q.parquet", (tmp_path / "made").read_bytes()).startswith(message)


def test_a_cell_may_be_as_long_as_a_book(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    (tmp_path / "q.csv").write_text(f"id,question,answers\nq1,{'a ' * 200_000}?,x\n")
    assert len(load(tmp_path, "q.csv").test[0].question) == 400_001
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("column", "answers"),
    [
        (pa.array([7, 0]), ["7", "0"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([0.1, 12.0], pa.float32()), ["0.1", "12"]),
        (pa.array([0.1, 1e21]), ["0.1", "1000000000000000000000"]),
        (pa.array([decimal.Decimal("1.50"), decimal.Decimal("2")], pa.decimal128(5, 2)), ["1.50", "2.00"]),
        (pa.array([datetime.date(1871, 5, 1), datetime.date(800, 1, 2)]), ["1871-05-01", "0800-01-02"]),
        (pa.array([datetime.datetime(1871, 5, 1), datetime.datetime(1871, 5, 1, 12, 30)]), ["1871-05-01", "1871-05-01 12:30:00"]),
        (pa.array([datetime.time(7, 40), datetime.time(0)]), ["07:40:00", "00:00:00"]),
        (pa.array(["oak", "elm"]).dictionary_encode(), ["oak", "elm"]),
        (pa.array([[1, 2], [3]]), ["1", "3"]),
    ],
)
def test_answers_of_typed_columns_are_texts(tmp_path: Path, column: pa.Array, answers: list[str]) -> None:
    parquet.write_table(pa.table({"id": ["a", "b"], "question": ["Who?", "When?"], "answers": column}), tmp_path / "q.parquet")
    assert [one.answers[0] for one in load(tmp_path, "q.parquet").test] == answers


def test_a_class_is_an_answer_by_its_name(tmp_path: Path) -> None:
    label = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features({"id": datasets.Value("string"), "question": datasets.Value("string"), "answers": datasets.List(label)})
    rows = {"id": ["a", "b"], "question": ["Is it?", "Was it?"], "answers": [[1], [0, 1]]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "q.parquet"))
    assert [one.answers for one in load(tmp_path, "q.parquet").test] == [("yes",), ("no", "yes")]


READ_OFTEN = """
import os, sys
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read_questions import read_parquet_questions
n_threads = len(os.listdir("/proc/self/task"))
problems = Problems()
for _ in range(20):
    read_parquet_questions(sys.argv[1], problems)
assert len(os.listdir("/proc/self/task")) == n_threads, "threads are left, which may abort the process at its end"
sys.exit(2 if len([one for one in problems.found if "is broken Parquet: " in one]) == 20 else 1)
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Parquet whose end is whole and whose rows are not."""
    rows = [f"row {at}" for at in range(5000)]
    parquet.write_table(pa.table({"id": rows, "question": rows, "answers": rows}), tmp_path / "q.parquet", row_group_size=500)
    content = bytearray((tmp_path / "q.parquet").read_bytes())
    content[100 : len(content) // 2 : 7] = bytes(255 - one for one in content[100 : len(content) // 2 : 7])
    (tmp_path / "q.parquet").write_bytes(content)
    return tmp_path / "q.parquet"


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_a_faulty_parquet_file_ends_with_an_error_and_leaves_no_thread(faulty: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", READ_OFTEN, str(faulty)], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2, ended.stderr


@pytest.mark.slow
def test_a_faulty_parquet_file_ends_every_time_with_exit_code_2(faulty: Path) -> None:
    run = [sys.executable, "-c", READ_OFTEN, str(faulty)]
    assert [subprocess.run(run, capture_output=True, timeout=120).returncode for _ in range(25)] == [2] * 25


def test_a_cell_marks_a_question_for_retrieval_only(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("id,question,answers,evidence,retrieval_only\nq1,Who?,,d1,TRUE\nq2,Who?,x,d1,false\n")
    assert [(one.answers, one.grading.retrieval_only) for one in load(tmp_path, "q.csv").test] == [((), True), (("x",), False)]


def test_parquet_holds_every_field_as_it_is_or_as_json(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "q1", "question": "Where, and\nhow?", "answers": ["Egypt", "Misr"], "evidence": ["d1", "d2"], "cluster": "rivers"},
        {
            "id": "q2",
            "question": "Which?",
            "answers": ["a|b", "c"],
            "evidence": ["d1"],
            "meta": {"format": "json"},
            "day": datetime.date.today(),
        },
        {"id": "q3", "question": "Who?", "unanswerable": True, "meta": {"comparator": None}},
    ]
    rows[1]["history"] = json.dumps([{"question": "Who?", "answer": "Ra"}])
    columns = {name: [row.get(name) for row in rows] for name in (*rows[0], "unanswerable", "history", "meta", "day")}
    parquet.write_table(pa.table(columns), tmp_path / "q.parquet")
    assert load(tmp_path, "q.parquet").test == EXPECTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + "q1,Who?\n", "q.csv:2 has 2 c"),
        (HEAD + 'q0,"a\nb",x,,,,,,\nq1,Who, then?,x,,,,,,\n', "q.csv:4 has 10 c"),
        (HEAD + 'q1,"Who?,x\n', "q.csv:2 is broken CSV: unexpected end of data"),
        (HEAD + 'q1,"Who"?,x,,,,,,\n', "q.csv:2 is broken CSV: "),
        ("id;question;answers\n", "q.csv:1 lacks the columns id, question; found 'id;question;answers'"),
        ("id,question,answers,answers\nq1,Who?,x,y\n", "q.csv:1 names the columns 'answers' more than once"),
        ("\n\n", "q.csv:1 lacks the columns id, question; found nothing"),
        (HEAD, "jsonl-q: 0 examples"),
        (HEAD + "q1,Who?,,,,,,,\n", "q.csv:2 id q1 answers: is missing or null"),
        (HEAD + "q1,,x,,,,,,\n", "q.csv:2 id q1 question: is empty"),
        (HEAD + "q1,Who?,x|,,,,,,\n", "q.csv:2 id q1 answers: is empty"),
        (HEAD + "q1,Who?,\u200b,,,,,,\n", r"q.csv:2 id q1 answers: holds nothing that can be seen: '\u200b'"),
        (HEAD + "q1,Who?,[sic],,,,,,\n", "q.csv:2 answers: is broken JSON"),
        (HEAD + "q1,Who?,x,,maybe,,,,\n", "q.csv:2 id q1 answers: unanswerable must be true or false but is 'maybe'"),
        (HEAD + "q1,Who?,x,,,,,{,\n", "q.csv:2 meta: is broken JSON"),
        (
            HEAD + "q1,Who?,x,d9,,,,,\n",
            "jsonl-q: the evidence of 1 of 1 questions is not in the corpus (first: question q1, document 'd9'). "
            "Evidence must be ids of documents, such as 'd1'.",
        ),
        (HEAD + "q1,Who?,x,,,,,,\nq1,Who?,x,,,,,,\n", "q.csv:3 id q1 id: stands at q.csv:2 already, with the same content"),
    ],
)
def test_a_faulty_csv_is_named_by_the_line_that_a_row_begins_in(tmp_path: Path, content: str, message: str) -> None:
    found = fault(tmp_path, "q.csv", content.encode())
    assert found.startswith(message)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.csv", b"id,question\nq\xff,", "q.csv byte 13 of the file is not UTF-8"),
        ("q.csv", "id".encode("utf-16"), "q.csv is UTF-16; re-encode it as UTF-8; expected CSV"),
        ("q.jsonl", "{}".encode("utf-16"), "q.jsonl is UTF-16; re-encode it as UTF-8; expected JSON"),
        ("q.jsonl.gz", gzip.compress(b"{}", mtime=0), "q.jsonl.gz is compressed; unpack it; expected JSON"),
        ("q.csv", b"PK\x03\x04xl", "q.csv is a zip or Office file; unpack it, or export its text"),
        ("q.csv", b"", "q.csv is empty (0 bytes); expected CSV"),
        ("q.parquet", b"", "q.parquet is empty (0 bytes); expected Parquet"),
        ("q.parquet", b"PAR1 cut off", "q.parquet is broken Parquet: "),
        ("q.jsonl", b'{"id": "a", "id": "b"}', "q.jsonl:1 has the name 'id' more than once in one object; leave one"),
        ("q.jsonl", b"[{}]", "q.jsonl:1 is not an object: expected one JSON object a line, found a list"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    assert fault(tmp_path, name, content).startswith(message)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a"], "query": ["Who?"]}, "q.parquet lacks the columns question; found 'id', 'query'"),
        ({"id": ["a"], "question": ["Who?"], "answers": [b"x"]}, "q.parquet:1 holds what JSON has not: Object of type bytes"),
        ({"id": ["a"], "question": ["Who?"], "answers": [None]}, "q.parquet:1 id a answers: is missing or null"),
        ({"id": ["a"], "question": ["Who?"], "meta": [{"x": float("nan")}]}, "q.parquet:1 holds what JSON has not: Out of range float"),
        ({"id": [b"a"], "question": ["Who?"]}, "q.parquet:1 holds what JSON has not: Object of type bytes"),
        ({"id": ["a", None], "question": ["Who?"] * 2, "answers": ["x"] * 2}, "q.parquet:2 id None lacks id"),
    ],
)
def test_a_faulty_parquet_is_named_by_the_number_of_the_row(tmp_path: Path, columns: dict[str, list[Any]], message: str) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "made")
    assert fault(tmp_path, "q.parquet", (tmp_path / "made").read_bytes()).startswith(message)
