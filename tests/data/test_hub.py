"""Tables of this disk stand for those of the hub, which nothing here asks."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, List, Value

from rag_eval.data.rows.hub_text import TEXTS
from rag_eval.data.sources.hub import Columns, Corpus, hub
from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.types import QADataset

pytestmark = pytest.mark.flow

COMMIT, OTHER = "3ffb306f725f7d2ce8394bc1873b24868140c412", "0228b52cf27578f30900b9e5271d331663a030d7"
NILE, RHINE = "The Nile flows through Egypt.", "The Rhine ends in the Netherlands."
SQUAD = Columns("question", "answers.text", "id", context="context", title="title", cluster="title")
ROWS: list[dict[str, Any]] = [
    {"id": "a", "title": "Rivers", "context": NILE, "question": "Where is the Nile?", "answers": {"text": ["Egypt", "."], "at": [0, 1]}},
    {"id": "b", "title": "Rivers", "context": RHINE, "question": "Where ends it?", "answers": {"text": ["Holland"], "at": [0]}},
    {"id": "c", "title": "Rivers", "context": NILE, "question": "Who drank it?", "answers": {"text": [], "at": []}},
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def written(folder: Path, **splits: list[dict[str, Any]]) -> str:
    """A folder with a JSON lines file a split."""
    (folder / "set").mkdir(exist_ok=True)
    for split, rows in splits.items():
        (folder / "set" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / "set")


def load(path: str, columns: Columns = SQUAD, test: str = "test", is_empty_fine: bool = True, **more: Any) -> QADataset:
    given = {"revision": None, "config": None, "train": None, "dev": None, "corpus": None, "train_share": 0.0, "seed": 0} | more
    return hub(path, test=test, columns=columns, empty_is_unanswerable=is_empty_fine, **given)


def fault(path: str, *more: Any, kind: type[Exception] = DataError, **named: Any) -> str:
    with pytest.raises(kind) as raised:
        load(path, *more, **named)
    assert "\n" not in str(raised.value)
    return str(raised.value).replace(path, "SET")


def test_passages_become_documents_once_and_are_the_evidence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = load(written(tmp_path, test=ROWS))
    nile, rhine = found.documents
    assert (found.name, nile.text, nile.title, rhine.text) == ("hub-set", NILE, "Rivers", RHINE)
    assert [(one.id, one.answers, one.evidence, one.cluster) for one in found.test] == [
        ("a", ("Egypt",), (nile.id,), "Rivers"),
        ("b", ("Holland",), (rhine.id,), "Rivers"),
        ("c", (), (), "Rivers"),
    ]
    assert "left out 1 answer of test without a word" in caplog.text


def test_evidence_named_by_a_title_that_two_passages_have_is_refused(tmp_path: Path) -> None:
    row = {"id": "a", "question": "Where?", "answers": "Egypt", "context": [NILE, RHINE], "title": ["Rivers", "Rivers"], "gold": ["Rivers"]}
    columns = Columns("question", "answers", "id", context="context", title="title", evidence="gold")
    assert "evidence: 'Rivers' is the title of several passages of the row" in fault(written(tmp_path, test=[row]), columns)
    same = row | {"context": [NILE, NILE]}
    assert len(load(written(tmp_path, test=[same]), columns).test[0].evidence) == 1


@pytest.mark.parametrize("form", ["parquet", "json", "csv", "save_to_disk", "one split"])
def test_files_and_saved_tables_are_read_too(tmp_path: Path, form: str) -> None:
    table = datasets.Dataset.from_list([{"q": f"Is {n} {form}?", "a": "yes"} for n in range(3)])
    path = str(tmp_path / f"rows.{form}")
    if form == "save_to_disk":
        datasets.DatasetDict({"train": table}).save_to_disk(path)
    elif form == "one split":
        table.save_to_disk(path)
    else:
        getattr(table, f"to_{form}")(path)
    found = load(path, Columns("q", "a"), test="train")
    assert [(one.id, one.answers, one.evidence) for one in found.test] == [(f"train-{n}", ("yes",), ()) for n in range(3)]
    assert found.documents == ()
    assert "split" in fault(path, Columns("q", "a"), test="nope")


def test_splits_of_the_source_are_kept_and_without_them_the_share_decides(tmp_path: Path) -> None:
    path = written(tmp_path, test=ROWS[:1], train=ROWS[1:2], validation=ROWS[2:])
    found = load(path, train="train", dev="validation")
    assert [[one.id for one in part] for part in (found.train, found.dev, found.test)] == [["b"], ["c"], ["a"]]
    rows = [row | {"id": str(at), "question": f"{at}?", "title": str(at)} for at, row in enumerate(ROWS[:2] * 5)]
    found = load(written(tmp_path, test=rows), train_share=0.5)
    assert [len(part) for part in (found.train, found.dev, found.test)] == [4, 1, 5]


def test_pieces_are_joined_and_evidence_is_named_by_title_among_distractors(tmp_path: Path) -> None:
    context = {"title": ["Nile", "Rhine", "Oder"], "sentences": [["It flows.", " Far."], ["It ends."], ["It is."]]}
    row = {"q": "Which?", "a": "both", "context": context, "facts": {"title": ["Nile", "Oder", "Nile"], "sent_id": [0, 0, 1]}}
    columns = Columns("q", "a", context="context.sentences", title="context.title", evidence="facts.title")
    found = load(written(tmp_path, test=[row]), columns)
    assert [one.text for one in found.documents] == ["It flows. Far.", "It ends.", "It is."]
    assert found.test[0].evidence == (found.documents[0].id, found.documents[2].id)
    row["facts"]["title"] = ["Elbe"]
    assert fault(written(tmp_path, test=[row]), columns) == "SET:test[0] id 'test-0' evidence: 'Elbe' is the title of no passage of the row"


def test_null_evidence_is_none(tmp_path: Path) -> None:
    row = {"q": "Who?", "a": "x", "context": [NILE], "title": ["Nile"], "e": None}
    assert load(written(tmp_path, test=[row]), Columns("q", "a", evidence="e")).test[0].evidence == ()
    beside = Columns("q", "a", context="context", title="title", evidence="e")
    assert load(written(tmp_path, test=[row]), beside).test[0].evidence == ()


def test_a_corpus_of_its_own_is_searched_and_named_by_id(tmp_path: Path) -> None:
    path = written(tmp_path, test=[{"q": "Where?", "a": '["Egypt", "Misr"]', "e": [2]}])
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"n": n, "body": body}) + "\n" for n, body in ((2, NILE), (3, "x"))))
    corpus = Corpus(str(texts), "train", "n", "body")
    columns = Columns("q", "a", evidence="e", answers_are_json=True)
    found = load(path, columns, corpus=corpus)
    assert ([one.id for one in found.documents], found.test[0].evidence, found.test[0].answers) == (["2", "3"], ("2",), ("Egypt", "Misr"))
    both = Columns("q", "a", context="q")
    assert "both name documents" in fault(path, both, corpus=corpus, kind=ConfigError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": " "}, "SET:test[1] id b question: is empty"),
        ({"question": None}, "SET:test[1] id b question: must be a text but is null"),
        ({"question": "a\0b"}, r"SET:test[1] id b question: holds the character NUL: 'a\x00b'"),
        ({"id": "a"}, "SET:test[1] id a id: stands at SET:test[0] already, with different content"),
        ({"answers": {"text": ["\u200b"], "at": [0]}}, r"SET:test[1] id b answers: holds nothing that can be seen: '\u200b'"),
        ({"answers": {"text": [""], "at": [0]}}, "SET:test[1] id 'b' answers: is empty; dataset.empty_is_unanswerable=true takes"),
        ({"context": None}, "SET:test[1] id 'b' context: must be a text or a list of texts but is None"),
    ],
)
def test_a_faulty_row_is_named_by_split_and_number(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = written(tmp_path, test=[ROWS[0], ROWS[1] | change])
    assert fault(path, is_empty_fine=False).startswith(message)


def test_answers_of_which_there_is_no_text_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, test=[{"q": "Which?", "a": {"b": "x"}}])
    assert fault(path, Columns("q", "a")).startswith("SET:test[0] id test-0 answers: must be a text but is an object")
    assert fault(written(tmp_path, test=[{"q": "Who?", "a": "['x']"}]), Columns("q", "a", answers_are_json=True)).startswith(
        "SET:test[0] id 'test-0' answers: is broken JSON: "
    )


CELLS = ("NA", "null", "None", "NaN", "007", "1871", "1.50", "True", "2020-01-01", "")
README_OF_TYPES = """---
dataset_info:
  features: [{name: id, dtype: int64}, {name: q, dtype: string}, {name: a, dtype: string}, {name: t, dtype: float64}]
---
"""


def cells(path: Path, between: str) -> Path:
    lines = [["id", "q", "a", "t"], *([f"0{at}", f"Which is {at}?", cell, NILE] for at, cell in enumerate(CELLS))]
    path.write_text("".join(between.join(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("form", ["file.csv", "file.tsv", "folder.csv", "folder.tsv"])
def test_cells_are_texts_and_only_an_empty_one_is_absent(tmp_path: Path, form: str) -> None:
    where, suffix = form.split(".")
    (tmp_path / "set").mkdir()
    path = cells(tmp_path / "set" / f"train.{suffix}", "\t" if suffix == "tsv" else ",")
    given = str(path if where == "file" else path.parent)
    found = load(given, Columns("q", "a", "id", context="t"), test="train")
    assert [(one.id, one.answers) for one in found.test] == [(f"0{at}", (cell,) if cell else ()) for at, cell in enumerate(CELLS)]
    assert [one.text for one in found.documents] == [NILE]
    assert fault(given, Columns("q", "a", "id"), test="train", is_empty_fine=False).startswith("SET:train[9] id '09' answers: is empty;")


def test_a_column_of_which_a_later_part_looks_like_numbers_is_texts_throughout(tmp_path: Path) -> None:
    rows = "".join(f"{at:05},Which is {at}?,{'x' if at < 10_500 else at:05}\n" for at in range(20_050))
    (tmp_path / "rows.csv").write_text(f"id,q,a\n{rows}")
    found = load(str(tmp_path / "rows.csv"), Columns("q", "a", "id"), test="train")
    assert [(found.test[at].id, found.test[at].answers) for at in (0, 10_500, 20_049)] == [
        ("00000", ("x0000",)), ("10500", ("10500",)), ("20049", ("20049",))
    ]  # fmt: skip


def test_cells_are_texts_whatever_types_the_card_declares(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "test.csv").write_text("id,q,a,t\n007,Which?,NA,1.50\n008,Who?,null,\n")
    (tmp_path / "set" / "README.md").write_text(README_OF_TYPES)
    found = load(str(tmp_path / "set"), Columns("q", "a", "id", cluster="t"))
    assert [(one.id, one.answers, one.cluster) for one in found.test] == [("007", ("NA",), "1.50"), ("008", ("null",), "008")]


def test_rows_that_are_longer_than_the_header_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("q,a\nWho?,x,y\nWhere?,x,y\n")
    assert fault(str(tmp_path / "rows.csv"), Columns("q", "a"), test="train") == (
        "SET: its rows have more cells than its first line names columns."
    )


def test_a_part_of_a_split_of_cells_is_read(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    cells(tmp_path / "set" / "train.csv", ",")
    assert [one.id for one in load(str(tmp_path / "set"), Columns("q", "a", "id"), test="train[1:3]").test] == ["01", "02"]


@pytest.mark.parametrize(
    ("feature", "given", "answers"),
    [
        (ClassLabel(names=["no", "yes"]), [1, 0], [("yes",), ("no",)]),
        (List(ClassLabel(names=["no", "yes", "maybe"])), [[2, 1], [0]], [("maybe", "yes"), ("no",)]),
        (Value("bool"), [True, False], [("true",), ("false",)]),
        (Value("int32"), [0, -3], [("0",), ("-3",)]),
        (Value("float32"), [0.1, 2.0], [("0.1",), ("2",)]),
        (Value("date32"), [date(1871, 5, 1), date(900, 1, 2)], [("1871-05-01",), ("0900-01-02",)]),
        ({"label": ClassLabel(names=["no", "yes"])}, [{"label": 1}, {"label": 0}], [("yes",), ("no",)]),
    ],
)
def test_answers_of_typed_columns_are_texts(tmp_path: Path, feature: Any, given: list[Any], answers: list[Any]) -> None:
    features = datasets.Features({"q": Value("string"), "a": feature})
    datasets.Dataset.from_dict({"q": ["Is it?", "Was it?"], "a": given}, features=features).save_to_disk(str(tmp_path / "saved"))
    column = "a.label" if isinstance(feature, dict) else "a"
    assert [one.answers for one in load(str(tmp_path / "saved"), Columns("q", column), test="train").test] == answers


def test_a_class_that_is_missing_is_no_answer(tmp_path: Path) -> None:
    features = datasets.Features({"q": Value("string"), "a": ClassLabel(names=["no", "yes"])})
    datasets.Dataset.from_dict({"q": ["Is it?", "Was it?"], "a": [1, -1]}, features=features).to_parquet(str(tmp_path / "rows.parquet"))
    assert [one.answers for one in load(str(tmp_path / "rows.parquet"), Columns("q", "a"), test="train").test] == [("yes",), ()]


DATED = [
    {"q": "When was \u2028 it?", "a": "1871-05-01", "more": {"on": ["1902-01-01 00:00:00"]}},
    {"q": "When else?", "a": "1871-05-02T10:00:00Z", "more": {"on": []}},
    {"q": "And then?", "a": "1871-05-03", "more": {"on": None}},
]


@pytest.mark.parametrize("form", ["lines", "list", "folder"])
def test_dates_in_json_are_the_texts_that_stand_there(tmp_path: Path, form: str) -> None:
    content = json.dumps(DATED) if form == "list" else "\n".join(json.dumps(row, ensure_ascii=False) for row in DATED)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.json").write_text(content, encoding="utf-8")
    path = str(tmp_path / "set" if form == "folder" else tmp_path / "set" / "train.json")
    found = load(path, Columns("q", "a"), test="train")
    assert [(one.question, one.answers) for one in found.test] == [(row["q"], (row["a"],)) for row in DATED]
    assert [one.answers for one in load(path, Columns("q", "more.on"), test="train").test] == [("1902-01-01 00:00:00",), (), ()]
    if form == "folder":
        assert [one.answers for one in load(path, Columns("q", "a"), test="train[1:]").test] == [(row["a"],) for row in DATED[1:]]


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    path = written(tmp_path, test=ROWS)
    assert fault(path, Columns("query", "gold")) == "SET: test has no column gold, query; found id, title, context, question, answers."
    assert fault(path, Columns("question", "answers.texts")) == "SET:test[0]: there is no column answers.texts; found text, at."


def test_a_missing_split_config_or_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, test=ROWS)
    assert fault(path, test="validation") == "SET: Unknown split \"validation\". Should be one of ['test']."
    assert fault(path, config="de").startswith("SET: BuilderConfig 'de' not found")
    (tmp_path / "empty").mkdir()
    assert "doesn't contain any data files" in fault(str(tmp_path / "empty"))
    (tmp_path / "rows.xlsx").write_text("x")
    assert fault(str(tmp_path / "rows.xlsx")).startswith("SET: expected a folder or a file that ends in .parquet")
    (tmp_path / "rows.parquet").write_text("x")
    assert fault(str(tmp_path / "rows.parquet"), test="train").startswith("SET: Parquet file size is 1 bytes")
    (tmp_path / "set" / "test.jsonl").write_text('{"question": \n')
    assert fault(path).startswith("SET: ")


def test_code_in_a_data_set_is_refused_and_not_run(tmp_path: Path) -> None:
    path = Path(written(tmp_path, test=ROWS))
    (path / "set.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    assert fault(str(path)) == "SET: Dataset scripts are no longer supported, but found set.py."
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:7], COMMIT.upper()])
def test_a_hub_id_without_a_commit_is_refused_before_the_hub_is_asked(revision: str | None) -> None:
    found = fault("rajpurkar/squad_v2", revision=revision)
    assert found.startswith(f"SET: revision is {revision!r}; a hub id needs the commit that its numbers belong to, 40 hexadecimal digits")


@pytest.mark.parametrize("path", ["no/such/folder", "squad", "https://x.org/a.csv", "hf://datasets/a/b", "csv"])
def test_what_is_neither_a_path_nor_a_hub_id_is_refused(path: str) -> None:
    assert fault(path, revision=COMMIT).startswith("SET does not exist (looked in ")


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    assert fault(written(tmp_path, test=ROWS), revision=COMMIT) == "SET is on this disk and has no revision; set dataset.revision=null."


def cached(cache: Path, source: str, commit: str, config: str = "default", **how: Any) -> None:
    """A copy as `datasets` keeps one of rajpurkar/squad_v2 at a commit."""
    made = Path(datasets.load_dataset(source, split="test", **how).cache_files[0]["filename"]).parent
    place = cache / "rajpurkar___squad_v2" / config / "0.0.0" / commit
    shutil.copytree(made, place)
    (place / "set-test.arrow").rename(place / "squad_v2-test.arrow")
    info = json.loads((place / "dataset_info.json").read_text())
    (place / "dataset_info.json").write_text(json.dumps(info | {"dataset_name": "squad_v2"}))


@pytest.fixture
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("_no_connection")
def test_without_a_connection_a_copy_of_that_commit_is_read_and_no_other(tmp_path: Path) -> None:
    absent = fault("rajpurkar/squad_v2", revision=COMMIT, kind=EnvironmentFault)
    assert absent.startswith(f"SET at {COMMIT} is not on this machine (looked in {tmp_path / 'cache'} and ")
    cached(tmp_path / "cache", written(tmp_path, test=ROWS), COMMIT)
    assert len(load("rajpurkar/squad_v2", revision=COMMIT).test) == 3
    assert "only another commit is" in fault("rajpurkar/squad_v2", revision=OTHER, kind=EnvironmentFault)


@pytest.mark.usefixtures("_no_connection")
def test_without_a_connection_cells_are_texts_too(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    cells(tmp_path / "set" / "test.csv", ",")
    cached(tmp_path / "cache", str(tmp_path / "set"), COMMIT)  # by an earlier version, which made numbers of them
    columns = Columns("q", "a", "id")
    refused = fault("rajpurkar/squad_v2", columns, revision=COMMIT, kind=EnvironmentFault)
    assert "the copy on this machine has other values than the csv files, numbers or dates for texts" in refused
    as_texts = datasets.BuilderConfig("default").create_config_id(config_kwargs=dict(TEXTS))
    cached(tmp_path / "cache", str(tmp_path / "set"), COMMIT, as_texts, **TEXTS)
    found = load("rajpurkar/squad_v2", columns, revision=COMMIT)
    assert [one.answers for one in found.test] == [(cell,) if cell else () for cell in CELLS]


def test_no_rows_are_refused(tmp_path: Path) -> None:
    assert fault(written(tmp_path, test=ROWS), test="test[:0]") == 'SET: Instruction "test[:0]" corresponds to no data.'
    saved = str(tmp_path / "saved")
    datasets.Dataset.from_dict({"q": [], "a": []}).save_to_disk(saved)
    assert fault(saved, Columns("q", "a"), test="train") == "SET holds no rows."
