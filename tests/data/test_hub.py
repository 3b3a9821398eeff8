"""Tables of this disk stand for those of the hub, which nothing here asks."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest

from rag_eval.data.hub import Columns, Corpus, hub
from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.types import QADataset

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
    assert "left out 1 answers of test that hold no word" in caplog.text


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
        ({"answers": {"text": ["the"], "at": [0]}}, "SET:test[1] id b answers: 'the' is nothing without articles"),
        ({"answers": {"text": [""], "at": [0]}}, "SET:test[1] id 'b' answers: is empty; dataset.empty_is_unanswerable=true takes"),
        ({"context": None}, "SET:test[1] id 'b' context: must be a text or a list of texts but is None"),
    ],
)
def test_a_faulty_row_is_named_by_split_and_number(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = written(tmp_path, test=[ROWS[0], ROWS[1] | change])
    assert fault(path, is_empty_fine=False).startswith(message)


def test_answers_that_are_no_texts_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, test=[{"q": "Which?", "a": 1}])
    assert fault(path, Columns("q", "a")).startswith("SET:test[0] id test-0 answers: must be a text but is a number")
    assert fault(written(tmp_path, test=[{"q": "Who?", "a": "['x']"}]), Columns("q", "a", answers_are_json=True)).startswith(
        "SET:test[0] id 'test-0' answers: is broken JSON: "
    )


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


def cached(cache: Path, source: str, commit: str) -> None:
    """A copy as `datasets` keeps one of rajpurkar/squad_v2 at a commit."""
    made = Path(datasets.load_dataset(source, split="test").cache_files[0]["filename"]).parent
    place = cache / "rajpurkar___squad_v2" / "default" / "0.0.0" / commit
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


def test_no_rows_are_refused(tmp_path: Path) -> None:
    assert fault(written(tmp_path, test=ROWS), test="test[:0]") == 'SET: Instruction "test[:0]" corresponds to no data.'
    saved = str(tmp_path / "saved")
    datasets.Dataset.from_dict({"q": [], "a": []}).save_to_disk(saved)
    assert fault(saved, Columns("q", "a"), test="train") == "SET holds no rows."
