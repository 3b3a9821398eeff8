"""A faulty file of a real data set is refused by its place, every fault named, before anything is built."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_eval.data.rows.connected_components import connected_components
from rag_eval.data.sources.chunk_eval import chunk_eval
from rag_eval.data.sources.fictional import fictional
from rag_eval.data.sources.hotpot import hotpot
from rag_eval.data.sources.medquad import medquad
from rag_eval.data.sources.nq_open import nq_open
from rag_eval.data.sources.pubmedqa import pubmedqa
from rag_eval.data.sources.qed import qed
from rag_eval.data.sources.scifact import scifact
from rag_eval.errors import ConfigError, DataError
from rag_eval.types import Grading, QADataset, Span

pytestmark = pytest.mark.flow


def refusal(call: Callable[[], QADataset]) -> str:
    with pytest.raises(DataError) as raised:
        call()
    return str(raised.value)


def lines(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


# QED

DEV = {
    "example_id": 1,
    "title_text": "Nile",
    "question_text": "where does it flow",
    "paragraph_text": "It flows through Egypt and Sudan .",
    "original_nq_answers": [[{"start": 17, "end": 22, "string": "Egypt"}], [{"start": 27, "end": 32, "string": "Sudan"}] * 2],
    "annotation": {"explanation_type": "single_sentence"},
}
SHARD = {
    "example_id": "2",
    "title_text": "Oder",
    "question_text": "which towns does it pass",
    "paragraph_text": "It passes Opole and Szczecin .",
    "answer_spans": [[10, 15], [20, 28]],
    "answer_text": ["Opole", "Szcz"],
    "answer_type": "multi_sentence",
}


def qed_of(folder: Path, *test: Any, train: tuple[Any, ...] = ()) -> QADataset:
    lines(folder / "qed-dev.jsonlines", *test)
    lines(folder / "nq-train-01-qed.jsonlines", *train)
    return qed(str(folder), "nq-train-*" if train else None, "qed-dev.jsonlines")


def test_both_schemas_of_qed_give_an_answer_an_annotator(tmp_path: Path) -> None:
    dataset = qed_of(tmp_path, DEV, train=(SHARD, SHARD | {"example_id": 3, "answer_spans": [[-1, -1]], "answer_text": [""]}))
    assert dataset.test[0].answers == ("Egypt", "Sudan")
    assert [(example.id, example.answers) for example in dataset.train] == [("2", ("Opole, Szczecin",))]
    assert [document.title for document in dataset.documents] == ["Oder", "Nile"]


def test_training_questions_of_qed_about_an_article_of_the_test_are_left_out(tmp_path: Path) -> None:
    dataset = qed_of(
        tmp_path, DEV, train=(SHARD, SHARD | {"example_id": 3, "title_text": "Nile", "paragraph_text": "It passes Opole and Szczecin."})
    )
    assert [example.id for example in dataset.train] == ["2"]
    assert len(dataset.documents) == 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({key: value for key, value in DEV.items() if key != "title_text"}, "qed-dev.jsonlines:1 lacks title_text; found 'example_id'"),
        ({key: value for key, value in DEV.items() if key != "example_id"}, "qed-dev.jsonlines:1 id None lacks id; found "),
        (DEV | {"paragraph_text": 7}, "qed-dev.jsonlines:1 paragraph_text: must be a text but is a number"),
        (DEV | {"original_nq_answers": None}, "qed-dev.jsonlines:1 answers: expected original_nq_answers, or answer_spans and answer_text"),
        (
            DEV | {"original_nq_answers": [[{"start": 0}]]},
            "qed-dev.jsonlines:1 answers: a span must have its start, its end and its string",
        ),
        (
            DEV | {"original_nq_answers": [[{"start": 16, "end": 22, "string": "Egypt"}]]},
            "qed-dev.jsonlines:1 answers: characters 16 to 22 of the passage are ' Egypt', expected 'Egypt'",
        ),
        (
            DEV | {"original_nq_answers": [[{"start": 17, "end": 222, "string": "Egypt"}]]},
            "qed-dev.jsonlines:1 answers: characters 17 to 222 of the passage are '', expected 'Egypt'",
        ),
        (SHARD | {"answer_text": ["Opole"]}, "qed-dev.jsonlines:1 answers: zip() argument 2 is shorter"),
    ],
)
def test_a_fault_of_qed_is_named(tmp_path: Path, row: Any, message: str) -> None:
    assert refusal(lambda: qed_of(tmp_path, row)).startswith(f"{tmp_path}/{message}")


def test_qed_names_every_fault_and_the_files_that_there_are(tmp_path: Path) -> None:
    said = refusal(lambda: qed_of(tmp_path, DEV | {"title_text": ""}, DEV, DEV))
    assert said.startswith(f"2 problems in {tmp_path}, first: {tmp_path}/qed-dev.jsonlines:1 title_text: is empty")
    assert "qed-dev.jsonlines:3 id 1 id: stands at" in said
    assert "has no file dev-* to test with; found nq-train-01-qed.jsonlines, qed-dev.jsonlines" in refusal(
        lambda: qed(str(tmp_path), None, "dev-*")
    )


# NQ-Open


def test_nq_open_leaves_out_answers_without_a_word_and_questions_with_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = lines(tmp_path / "nq.jsonl", {"question": "who", "answer": ["Bo", "*"]}, {"question": "how many", "answer": ["---"]})
    (example,) = nq_open(path, 0.0, 0).test
    assert (example.id, example.answers, example.evidence) == ("q1", ("Bo",), ())
    assert "left out 1 of 2 questions" in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "who", "answers": ["Bo"]}, "lacks answer; found 'question', 'answers'"),
        ({"question": "who", "answer": "Bo"}, "answer: must be a list of texts but is a text"),
        ({"question": "who", "answer": []}, "answer: is empty; give at least one text"),
        ({"question": "who", "answer": ["Bo", None]}, "answer[1]: must be a text but is null"),
        ({"question": " ", "answer": ["Bo"]}, "question: is empty"),
        (["who"], "is not an object"),
    ],
)
def test_a_fault_of_nq_open_is_named(tmp_path: Path, row: Any, message: str) -> None:
    path = lines(tmp_path / "nq.jsonl", row)
    assert refusal(lambda: nq_open(path, 0.0, 0)).startswith(f"{path}:1 {message}")


# MedQuAD


def disease(id: str, *pairs: tuple[str, str, str], focus: str = "<Focus>Velor</Focus>", head: str = "") -> str:
    asked = "".join(
        f'<QAPair pid="1"><Question qid="{qid}" qtype="causes">{question}</Question><Answer>{answer}</Answer></QAPair>'
        for qid, question, answer in pairs
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<Document id="{id}">{focus}<QAPairs>{asked}</QAPairs></Document>'


def medquad_of(folder: Path, *files: str, train_share: float = 0.0) -> QADataset:
    for number, content in enumerate(files, start=1):
        (folder / f"{number}.xml").write_text(content, encoding="utf-8")
    return medquad(str(folder), train_share, 0)


def test_equal_answers_of_medquad_stand_for_each_other_and_hold_their_diseases_together(tmp_path: Path) -> None:
    equal = [disease("1", ("1-1", "What causes A ?", "Salt &amp; rust.")), disease("2", ("2-1", "What causes B ?", " Salt &amp; rust.\n"))]
    empty = disease("3", ("3-1", "What causes C ?", ""), ("3-2", "Why C ?", "Wind."))
    dataset = medquad_of(tmp_path, *equal, empty)
    first, second, third = dataset.test
    assert (first.answers, first.meta, first.grading) == (("Salt & rust.",), {"kind": "causes"}, Grading(same_as={"2-1": ("1-1",)}))
    assert second.stands_for("1-1") == ("2-1",)
    assert [example.cluster for example in dataset.test] == ["1", "1", "3"]
    assert (third.id, third.meta, third.grading) == ("3-2", {"kind": "causes"}, Grading())
    assert dataset.documents[0].title == "Velor"


BOMB = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (disease("1", ("1-1", "Why ?", "&b;"), head=BOMB), "1.xml declares a document type or entities"),
        (disease("1", ("1-1", "Why ?", "Rust."))[:120], "1.xml is broken XML: "),
        ("", "1.xml is empty (0 bytes); expected XML"),
        ("{}", "1.xml is broken XML: not well-formed"),
        (disease("", ("1-1", "Why ?", "Rust.")), "1.xml Document id: is empty"),
        (disease("1", ("1-1", "Why ?", "Rust."), focus=""), "1.xml Focus: is empty"),
        (disease("1", ("", "Why ?", "Rust.")), "1.xml QAPair 1 Question qid: is empty"),
        (disease("1", ("1-1", "", "Rust.")), "1.xml QAPair 1 Question: is empty"),
        (disease("1", ("1-1", "Why ?", "\u200b")), "1.xml QAPair 1 id 1-1 answers: holds nothing that can be seen: '\\u200b'"),
    ],
)
def test_a_fault_of_medquad_is_named(tmp_path: Path, content: str, message: str) -> None:
    assert refusal(lambda: medquad_of(tmp_path, content)).startswith(f"{tmp_path}/{message}")


def test_medquad_refuses_ids_that_stand_twice_other_encodings_and_folders_without_files(tmp_path: Path) -> None:
    assert refusal(lambda: medquad_of(tmp_path)).startswith(f"{tmp_path} holds no .xml file")
    twice = [disease(id, ("1-1", "Why ?", "Rust.")) for id in "12"]
    assert f"{tmp_path}/2.xml QAPair 1 id 1-1 id: stands at {tmp_path}/1.xml QAPair 1 already" in refusal(
        lambda: medquad_of(tmp_path, *twice)
    )
    bomb = disease("1", ("1-1", "Why ?", "&b;"), head=BOMB).encode("utf-16")
    (tmp_path / "1.xml").write_bytes(bomb)
    assert f"{tmp_path}/1.xml is UTF-16" in refusal(lambda: medquad(str(tmp_path), 0.0, 0))


def test_groups_are_linked_through_others_and_named_by_the_first() -> None:
    assert connected_components([["a", "x"], ["b", "y"], ["c", "y", "x"], ["d"], ["b", "d"]]) == ["a"] * 5
    assert connected_components([["a", "x"], ["b", "y"], ["c", "y"], ["d"]]) == ["a", "b", "b", "d"]


# PubMedQA

PAPER = {"QUESTION": "Is it ?", "CONTEXTS": ["It was.", "It is."], "LONG_ANSWER": "It seems so.", "final_decision": "yes"}


def pubmedqa_of(folder: Path, papers: Any, truth: Any) -> QADataset:
    (folder / "ori_pqal.json").write_text(json.dumps(papers))
    (folder / "test_ground_truth.json").write_text(json.dumps(truth))
    return pubmedqa(str(folder))


def test_the_papers_of_the_ground_truth_are_the_test(tmp_path: Path) -> None:
    dataset = pubmedqa_of(tmp_path, {"1": PAPER, "2": PAPER | {"QUESTION": "Was it ?"}}, {"2": "yes"})
    assert ([example.id for example in dataset.train], [example.id for example in dataset.test]) == (["1"], ["2"])
    assert dataset.documents[0].text == "It was.\nIt is."


@pytest.mark.parametrize(
    ("papers", "truth", "message"),
    [
        ([], {}, "ori_pqal.json must be an object with the numbers of papers as keys but is a list"),
        ({"1": []}, {}, "ori_pqal.json 1 must be an object but is a list"),
        ({"1": {"QUESTION": "Is it ?"}}, {"1": None}, "ori_pqal.json 1 lacks LONG_ANSWER, final_decision; found 'QUESTION'"),
        ({"1": PAPER | {"CONTEXTS": "It is."}}, {"1": "yes"}, "ori_pqal.json 1 CONTEXTS: must be a list of texts but is a text"),
        ({"1": PAPER | {"final_decision": "sure"}}, {"1": "sure"}, "ori_pqal.json 1 final_decision: must be one of yes, no, maybe but is"),
        ({"1": PAPER}, {"7": "yes"}, "test_ground_truth.json 7 is no paper of "),
        ({"1": PAPER}, {"1": "no"}, "test_ground_truth.json 1 is 'no' where "),
    ],
)
def test_a_fault_of_pubmedqa_is_named(tmp_path: Path, papers: Any, truth: Any, message: str) -> None:
    assert refusal(lambda: pubmedqa_of(tmp_path, papers, truth)).startswith(f"{tmp_path}/{message}")


# HotpotQA

HOP = {
    "_id": "h1",
    "question": "Who ?",
    "answer": "Bo",
    "type": "bridge",
    "supporting_facts": [["A", 0], ["B", 1], ["A", 1]],
    "context": [["A", ["One.", " Two."]], ["B", ["Three.", " Four."]], ["C", ["Five."]]],
}


def test_questions_of_hotpot_that_share_a_gold_article_are_one_cluster(tmp_path: Path) -> None:
    path = lines(tmp_path / "h.json", [HOP, HOP | {"_id": "h2", "question": "Whom ?", "supporting_facts": [["C", 0], ["B", 0]]}])
    dataset = hotpot(path, 0.0, 0)
    assert [(example.evidence, example.cluster) for example in dataset.test] == [(("A", "B"), "A"), (("C", "B"), "A")]
    assert [(document.id, document.text) for document in dataset.documents] == [("A", "One. Two."), ("B", "Three. Four."), ("C", "Five.")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": []}, " must be a list of objects but is an object"),
        ([7], " [0] must be an object but is a number"),
        ([{key: value for key, value in HOP.items() if key != "context"}], " [0] lacks context; found '_id'"),
        ([HOP | {"supporting_facts": []}], " [0] supporting_facts: must be a list of [title, number of the sentence]"),
        ([HOP | {"supporting_facts": [["A", "0"]]}], " [0] supporting_facts: must be a list of [title, number of the sentence]"),
        ([HOP | {"context": [["A", [1]]]}], " [0] context: must be a list of [title, list of sentences]"),
        ([HOP, HOP], " [1] id h1 id: stands at "),
        ([HOP, HOP | {"_id": "h2", "context": [["A", ["Six."]]]}], " [1] context: 'A' has another text than at "),
    ],
)
def test_a_fault_of_hotpot_is_named(tmp_path: Path, content: Any, message: str) -> None:
    path = lines(tmp_path / "h.json", content)
    assert refusal(lambda: hotpot(path, 0.0, 0)).startswith(f"{path}{message}")


# SciFact

CORPUS = "doc_id,title,abstract\n12,On rats,\"['It''s short.'\n 'Rats don\\'t fly.'\n \"\"It isn't.\"\"]\"\n5,On mice,['Mice.']\n".replace(
    "It''s", "It is"
)
HEADER = "id,claim,evidence_doc_id,evidence_label,evidence_sentences,cited_doc_ids\n"
CLAIM = HEADER + "1,Rats fly.,12,CONTRADICT,[1 2],[ 5 12]\n1,Rats fly.,12,CONTRADICT,[0],[ 5 12]\n2,Mice fly.,,,[],[5]\n"


def scifact_of(folder: Path, claims: str | bytes = CLAIM, corpus: str = CORPUS, name: str = "claims_validation.csv") -> QADataset:
    with zipfile.ZipFile(folder / "s.zip", "w") as archive:
        archive.writestr("corpus_train.csv", corpus)
        archive.writestr(name, claims)
    return scifact(str(folder / "s.zip"), "validation")


def test_rows_of_evidence_are_one_claim_and_sentences_without_commas_are_several(tmp_path: Path) -> None:
    dataset = scifact_of(tmp_path)
    assert dataset.documents[0].text == "It is short. Rats don't fly. It isn't."
    first, second = dataset.test
    assert (first.evidence, first.answers, first.meta) == (("5", "12"), (), {"kind": "contradicted"})
    assert first.grading == Grading(retrieval_only=True)
    assert (second.cluster, second.meta["kind"]) == ("5", "undecided")


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ("", "member claims_validation.csv is empty (0 bytes); expected CSV"),
        (
            "id,claim\n1,x\n",
            "/claims_validation.csv:1 lacks the columns evidence_doc_id, evidence_label, cited_doc_ids; found 'id', 'claim'",
        ),
        (HEADER + "1,Rats fly.\n", "/claims_validation.csv:2 has 2 cells where line 1 names 6 columns"),
        (HEADER + '1,"Rats\nfly', "/claims_validation.csv:3 is broken CSV: unexpected end of data"),
        ((HEADER + "1,Rats\xff").encode("latin-1"), "/claims_validation.csv byte 79 of the file is not UTF-8"),
        (HEADER + '1,Rats fly.,,,[],"[5, 12]"\n', "/claims_validation.csv:2 cited_doc_ids: must be a list of numbers as numpy prints it"),
        (HEADER + "1,Rats fly.,,,[],[5 ... 12]\n", "/claims_validation.csv:2 cited_doc_ids: must be a list of numbers as numpy prints it"),
        (HEADER + "1,Rats fly.,,,[],[]\n", "/claims_validation.csv:2 id 1 evidence: is empty in a row marked retrieval_only: true"),
        (HEADER + "1,Rats fly.,5,MAYBE,[1],[5]\n", "/claims_validation.csv:2 evidence_label: must be one of 'SUPPORT', 'CONTRADICT', ''"),
        (HEADER + "1,Rats fly.,,,[],[5]\n1,Mice fly.,,,[],[5]\n", "/claims_validation.csv:3 claim: id 1 has another one at "),
    ],
)
def test_a_fault_of_scifact_is_named(tmp_path: Path, claims: str | bytes, message: str) -> None:
    said = refusal(lambda: scifact_of(tmp_path, claims))
    assert said.startswith(f"{tmp_path}/s.zip{message}" if message.startswith("/") else f"{tmp_path}/s.zip {message}")


@pytest.mark.parametrize("abstract", ["Rats.", "['Rats.'", "['Rats.', 'Mice.']", "['Rats.' Mice.]", "['\\x']", "[__import__('os')]"])
def test_an_abstract_that_is_no_list_of_numpy_is_refused_and_nothing_in_it_is_run(tmp_path: Path, abstract: str) -> None:
    said = refusal(lambda: scifact_of(tmp_path, corpus=f'doc_id,title,abstract\n5,On mice,"{abstract}"\n'))
    assert f"{tmp_path}/s.zip/corpus_train.csv:2 abstract: must be a list of quoted sentences as numpy prints it" in said


def test_a_member_is_read_by_its_exact_name_and_nothing_is_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    said = refusal(lambda: scifact_of(folder, name="../claims_validation.csv"))
    assert said == f"{folder}/s.zip has no member claims_validation.csv; found 'corpus_train.csv', '../claims_validation.csv'"
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "s.zip"]


def test_what_is_no_zip_archive_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.zip"
    assert "does not exist" in refusal(lambda: scifact(str(path), "validation"))
    path.write_bytes(b"id,claim\n")
    assert f"{path} is no zip archive that can be read: File is not a zip file" in refusal(lambda: scifact(str(path), "validation"))
    monkeypatch.setattr("rag_eval.data.rows.read_csv.MAX_BYTES", 100)
    assert f"member claims_validation.csv would take {len(CLAIM)} bytes unpacked, more than 100" in refusal(lambda: scifact_of(tmp_path))
    scifact_of_whole = path.read_bytes()
    path.write_bytes(scifact_of_whole[: len(scifact_of_whole) // 2])
    assert "is no zip archive that can be read" in refusal(lambda: scifact(str(path), "validation"))


# Fictional Knowledge

PROBES = {f"{kind}_{side}": [f"{kind} {side}"] for kind in ("mem", "gen", "hard_gen") for side in ("input", "target")}
INVENTED = {"train_context": "Mars.", "paraphrases": ["Red.", "Planet."], **PROBES}


def test_paraphrases_stand_for_the_article_where_they_are_asked_for(tmp_path: Path) -> None:
    path = lines(tmp_path / "f.json", [INVENTED, INVENTED | {"paraphrases": []}])
    with_them, without = fictional(path, True, 0.0, 0), fictional(path, False, 0.0, 0)
    assert [document.id for document in with_them.documents] == ["a0", "a0/paraphrase0", "a0/paraphrase1", "a1"]
    assert [document.id for document in without.documents] == ["a0", "a1"]
    assert with_them.test[0].meta == {"kind": "mem"}
    assert with_them.test[0].grading == Grading(same_as={"a0/paraphrase0": ("a0",), "a0/paraphrase1": ("a0",)})
    assert with_them.test[-1].meta == {"kind": "hard_gen"}
    assert [example.id for example in without.test[:3]] == ["a0/mem0", "a0/gen0", "a0/hard_gen0"]


def test_probes_of_some_kinds_train_and_the_rest_of_the_same_articles_test(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "f.json", [INVENTED | {f"{kind}_input": [f"{kind} {at}"] for kind in ("mem", "gen", "hard_gen")} for at in range(9)]
    )
    found = fictional(path, False, 0.5, 0, "question", train_kinds=["mem"])
    kinds = [{one.meta["kind"] for one in part} for part in (found.train, found.others, found.test, found.dev)]
    assert kinds == [{"mem"}, {"mem"}, {"gen", "hard_gen"}, {"gen", "hard_gen"}]
    assert {one.cluster for one in found.train} == {one.cluster for one in found.test}


@pytest.mark.parametrize(
    ("kinds", "split_by", "words"),
    [
        (["mem"], "cluster", "Set dataset.split_by=question"),
        (["gen", "mem", "hard_gen"], "question", "nothing is left to test. Leave one out"),
    ],
)
def test_kinds_that_leave_nothing_to_divide_are_refused(tmp_path: Path, kinds: list[Any], split_by: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        fictional(lines(tmp_path / "f.json", [INVENTED]), False, 0.5, 0, split_by, train_kinds=kinds)


@pytest.mark.parametrize(
    ("article", "message"),
    [
        ({key: value for key, value in INVENTED.items() if key != "gen_input"}, " [0] lacks gen_input; found 'train_context'"),
        (INVENTED | {"train_context": None}, " [0] train_context: must be a text but is null"),
        (INVENTED | {"mem_target": "x"}, " [0] mem_target: must be a list of texts but is a text"),
        (INVENTED | {"mem_input": [3]}, " [0] mem_input[0]: must be a text but is a number"),
        (INVENTED | {"gen_target": ["x", "y"]}, " [0] gen_target: must have one text for each of 1 in gen_input but has 2"),
        (INVENTED | {"gen_target": ["\u200b"]}, " [0] gen[0] id a0/gen0 answers: holds nothing that can be seen: '\\u200b'"),
    ],
)
def test_a_fault_of_fictional_knowledge_is_named(tmp_path: Path, article: Any, message: str) -> None:
    path = lines(tmp_path / "f.json", [article])
    assert refusal(lambda: fictional(path, False, 0.0, 0)).startswith(f"{path}{message}")


# chunking_evaluation

TEXT = "Ünder\r\nthe sea lies salt."


def chunk_eval_of(folder: Path, references: Any, name: str = "sea", question: str = "Where ?") -> QADataset:
    (folder / "sea.md").write_bytes(TEXT.encode())
    quoted = (references if isinstance(references, str) else json.dumps(references)).replace('"', '""')
    (folder / "questions_df.csv").write_text(f'question,references,corpus_id\n{question},"{quoted}",{name}\n')
    return chunk_eval(str(folder))


def reference(start: int, end: int, content: str) -> dict[str, Any]:
    return {"content": content, "start_index": start, "end_index": end}


def test_gold_spans_count_characters_of_the_file_as_it_is(tmp_path: Path) -> None:
    dataset = chunk_eval_of(tmp_path, [reference(7, 14, "the sea")])
    (example,) = dataset.test
    assert (example.id, example.evidence, example.answers) == ("sea/q1", ("sea",), ())
    assert example.grading == Grading(spans=(Span("sea", 7, 14),), retrieval_only=True)
    assert (dataset.documents[0].text, dataset.documents[0].meta) == (TEXT, {"source": "sea", "start": 0, "end": 25})


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ([reference(6, 14, "the sea")], "characters 6 to 14 of sea are '\\nthe sea', not 'the sea'"),
        ([reference(7, 99, "the sea lies salt.")], "characters 7 to 99 of sea are '', not"),
        ([{"content": "the sea", "start_index": 7}], "a reference lacks 'end_index'"),
        ([reference(7, 14, "the sea") | {"start_index": "7"}], "'<=' not supported"),
        ([], "is empty"),
        ("[{'content': 'the sea'}]", "is broken JSON: "),
    ],
)
def test_a_span_that_is_not_its_text_is_refused(tmp_path: Path, references: Any, message: str) -> None:
    said = refusal(lambda: chunk_eval_of(tmp_path, references))
    assert said.startswith(f"{tmp_path}/questions_df.csv:2 id sea/q1 references: {message}")


def test_a_document_that_is_not_in_the_folder_is_refused(tmp_path: Path) -> None:
    good = [reference(7, 14, "the sea")]
    assert f"{tmp_path}/lake.md does not exist" in refusal(lambda: chunk_eval_of(tmp_path, good, name="lake"))
    assert "corpus_id: '../sea' is no name of a document" in refusal(lambda: chunk_eval_of(tmp_path, good, name="../sea"))
    assert "questions_df.csv:2 id sea/q1 question: is empty" in refusal(lambda: chunk_eval_of(tmp_path, good, question=""))
