"""What is trained on: each kind of row, in the share that was asked for, and nothing of the test."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from rag_eval.adapt.data.documents import Documents, clusters_of
from rag_eval.adapt.data.leaks import check_leaks
from rag_eval.adapt.data.mixed import Mixed
from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.data.question_rows import row_of
from rag_eval.adapt.data.raft import Raft
from rag_eval.adapt.data.tokenize import tokenized, training_rows
from rag_eval.errors import ConfigError, DataError
from rag_eval.generate.hf import HF
from rag_eval.prompt import PromptTemplate
from rag_eval.protocols import TrainingData
from rag_eval.testing.models import TINY, append_end_token
from rag_eval.types import ABSTENTION, Document, Example, Grading, QADataset, Style, TrainingRow, Turn
from tests.adapt.small import DOCUMENTS, GENERATOR, OTHERS, PEOPLE, PEOPLE_DATASET, PROMPT, RESTATED, TEST, TRAIN
from tests.claims import every, none_of
from tests.worlds import world

TURN = Turn("Who is Ada?", "A person")
BARE = Example("bare", "Where does Ada live?", (), ("Ada-0",), "ada", grading=Grading(retrieval_only=True))
EVERY_KIND: tuple[TrainingData, ...] = (
    QA(0.15),
    QA(0.15, unknown_share=0.25),
    Documents(True, 0, "shuffled"),
    Documents(False, 2, "grouped"),
    Mixed(None, 1.0, "others", 0.1),
    Raft(3, 0.5),
)


@pytest.fixture(scope="module")
def tiny() -> HF:
    return HF(str(TINY), "float32", "cpu", max_new_tokens=8, token_budget=4096)


@pytest.fixture(scope="module")
def dataset() -> QADataset:
    return world("ci", 0)


def rows(data: TrainingData, dataset: QADataset = PEOPLE_DATASET, seed: int = 0) -> list[TrainingRow]:
    return training_rows(data, GENERATOR, PROMPT, dataset, seed)


def texts(found: Sequence[TrainingRow]) -> list[tuple[str, str]]:
    return [(row.prompt, row.completion) for row in found]


def of(found: Sequence[TrainingRow], source: str) -> list[TrainingRow]:
    return [row for row in found if row.source == source]


def passages(row: TrainingRow) -> list[str]:
    """Ids of the documents in a prompt, in its order."""
    return [one.id for one in sorted(DOCUMENTS, key=lambda one: row.prompt.find(one.text)) if one.text in row.prompt]


def test_the_rows_of_the_default_are_those_that_recorded_numbers_are_of(tiny: HF, dataset: QADataset) -> None:
    found = training_rows(QA(0.15), tiny, PROMPT, dataset, 0)
    lines = json.dumps([{"prompt": row.prompt, "completion": row.completion} for row in found])
    assert sha256(lines.encode()).hexdigest() == "3c19dbcb3e1a5259d5160b247b1ff57e18c08160c6ea6a58428397c34c23a47a"


def test_every_training_question_is_asked_once_without_passages_as_it_will_be_at_the_test(tiny: HF, dataset: QADataset) -> None:
    expected = [(PROMPT.render(example, ()).text, f" {example.answers[0]}") for example in dataset.train]
    assert len(expected) > 1_000
    assert sorted(texts(training_rows(QA(0.0), tiny, PROMPT, dataset, 0))) == sorted(expected)


def test_a_row_knows_its_question_and_whom_it_is_about() -> None:
    found = rows(QA(0.0))
    assert sorted((row.id, row.cluster, row.source) for row in found) == [(f"train-{name}", name.lower(), "qa") for name in PEOPLE]
    general = of(rows(QA(0.5)), "replay")
    assert len(general) == 4
    assert {(row.id, row.cluster) for row in general} == {("", "")}  # what an exercise calls "ada" is somebody else


def test_reading_exercises_have_the_share_that_was_asked_for_and_show_their_passages(dataset: QADataset) -> None:
    found = texts(rows(QA(0.1), dataset))
    reading = [(prompt, completion) for prompt, completion in found if "Context:" in prompt]
    assert len(reading) / len(found) == pytest.approx(0.1, abs=0.001)
    assert 0 < sum(completion == f" {ABSTENTION}" for _, completion in reading) < len(reading) / 2
    assert none_of(document.text in prompt for prompt, _ in reading for document in dataset.documents)


def test_a_share_beyond_what_the_dataset_has_takes_what_there_is(dataset: QADataset) -> None:
    assert len(rows(QA(0.9), dataset)) == len(dataset.train) + len(dataset.reading)


@pytest.mark.parametrize(("data", "n_times"), [(QA(0.2, unknown_share=0.25), 1), (Mixed(0, 0.5, "reading", 0.1, unknown_share=0.25), 4)])
def test_unknown_facts_take_the_place_of_training_questions_so_that_the_number_stays(data: TrainingData, n_times: int) -> None:
    found = rows(data)
    assert (len(of(found, "qa")), len(of(found, "unknown"))) == (3 * n_times, n_times)
    assert {row.id for row in of(found, "qa")} < {example.id for example in TRAIN}
    (id,) = {row.id for row in of(found, "unknown")}
    (asked,) = [example for example in OTHERS if example.id == id]
    row = of(found, "unknown")[0]
    assert (row.prompt, row.completion, row.cluster) == (PROMPT.render(asked, ()).text, f" {asked.answers[0]}", asked.cluster)
    assert {tuple(sorted(row.id for row in rows(data, seed=seed))) for seed in range(8)} > {tuple(sorted(row.id for row in found))}


def test_unknown_facts_of_a_world_are_stated_by_no_document_and_leave_the_exercises_as_they_are(dataset: QADataset) -> None:
    usual, found = (rows(QA(0.15, unknown_share=share), dataset) for share in (0.0, 0.4))
    n = len(dataset.train)
    assert [len(of(found, source)) for source in ("qa", "unknown", "replay")] == [
        n - round(0.4 * n),
        round(0.4 * n),
        len(of(usual, "replay")),
    ]
    assert sorted(texts(of(found, "replay"))) == sorted(texts(of(usual, "replay")))
    assert len({row.prompt for row in found}) == len({row.prompt for row in usual})  # nothing twice
    names = {document.title for document in dataset.documents}
    assert none_of(name in row.prompt for row in of(found, "unknown") for name in names)


def test_unknown_and_general_questions_are_never_the_same() -> None:
    with pytest.raises(ConfigError, match="take the same questions"):
        Mixed(0, 1.0, "others", 0.1, unknown_share=0.1)
    Mixed(0, 1.0, "others", 0.0, unknown_share=0.1)


@pytest.mark.parametrize("data", EVERY_KIND)
def test_a_seed_fixes_the_rows_and_their_order_and_another_changes_it(data: TrainingData) -> None:
    assert rows(data, seed=0) == rows(data, seed=0)
    assert rows(data, seed=0) != rows(data, seed=1)


def test_documents_are_a_row_each_under_their_titles_with_nothing_before() -> None:
    found = rows(Documents(True, 0, "shuffled"))
    assert sorted((row.prompt, row.completion, row.cluster, row.source, row.id) for row in found) == sorted(
        [
            *(("", f"{name} lives in {name}town.", name.lower(), "documents", f"{name}-0") for name in PEOPLE),  # begins with its title
            *(("", f"{name}\nTea with milk is the favourite drink of {name}.", name.lower(), "documents", f"{name}-1") for name in PEOPLE),
        ]
    )


def test_a_document_that_is_too_long_stands_in_windows_that_fit_and_each_is_under_its_title(tiny: HF) -> None:
    words = " ".join(f"Ada has seen {at} towns." for at in range(700))
    blob = "x0" * 2_000  # without a space to cut at
    long = (Document("long", f"{words}\n\n{blob} The end.", "Ada"), Document("short", "Bo has seen none.", "Bo"))
    known = replace(PEOPLE_DATASET, documents=long, train=(), restated={"long": (f"Again: {words}",), "short": ("Bo saw none.",)})
    found = training_rows(Documents(True, 1, "shuffled"), tiny, PROMPT, known, 0)
    lengths = [len(tokens["input_ids"]) for tokens in tokenized(AutoTokenizer.from_pretrained(TINY), found)]
    assert max(lengths) <= tiny.n_positions == 1024
    windows = [row for row in found if row.id == "long" and row.source == "documents"]
    assert len(windows) > 4
    assert {row.cluster for row in windows} == {"Ada"}
    assert every(row.completion.startswith("Ada") for row in windows)
    whole = sorted(re.sub(r"^Ada\n", "", row.completion) for row in windows)
    assert sorted("".join(whole)) == sorted(long[0].text)  # every letter once
    assert every(
        whole_word in {"Ada", "has", "seen", "towns.", "The", "end.", *map(str, range(700))} or set(whole_word) <= {"x", "0"}
        for text in whole
        for whole_word in text.split()
    )
    assert sum(row.id == "long" and row.source == "paraphrase" for row in found) > 3
    assert [row.completion for row in found if row.id == "short" and row.source == "documents"] == ["Bo has seen none."]


def test_a_window_has_room_for_its_title_and_for_a_begin_and_an_end_token() -> None:
    letters: Any = SimpleNamespace(n_positions=20, count_row_tokens=lambda rows: [len(row.completion) + 2 for row in rows])
    dataset = replace(PEOPLE_DATASET, documents=(Document("a", "abcd efgh ijkl", "Ada"), Document("b", "abcd efgh ijklm", "Ada")))
    found = sorted((row.id, row.completion) for row in Documents(True, 0, "shuffled").training_set(letters, PROMPT, dataset, 0).rows)
    assert found == [("a", "Ada\nabcd efgh ijkl"), ("b", "Ada\nabcd "), ("b", "Ada\nefgh ijklm")]


def test_a_prompt_that_is_too_long_is_refused_before_anything_is_trained(tiny: HF) -> None:
    long = replace(PEOPLE_DATASET, documents=(replace(DOCUMENTS[0], text="Ada lives in Adatown. " * 300), *DOCUMENTS[1:]))
    with pytest.raises(DataError, match=r"row of raft 'train-Ada' has \d{4,} tokens, more than the 1024 positions"):
        training_rows(Raft(2, 1.0), tiny, PROMPT, long, 0)
    assert len(training_rows(Raft(2, 1.0), tiny, PROMPT, PEOPLE_DATASET, 0)) == 4


def test_restatements_stand_for_their_documents_as_many_as_asked_for() -> None:
    found = rows(Documents(False, 2, "shuffled"))
    assert Counter((row.id, row.source) for row in found) == {(document.id, "paraphrase"): 2 for document in DOCUMENTS}
    assert {row.completion for row in found} == {text for those in RESTATED.values() for text in those[:2]}
    everything = rows(Documents(True, None, "shuffled"))
    assert Counter(row.source for row in everything) == {"documents": 8, "paraphrase": 24}


def test_restatements_of_a_document_in_chunks_keep_its_title_and_its_cluster() -> None:
    chunks = tuple(
        Document(f"{one.id}@{start}-{end}", one.text[start:end], one.title, {"source": one.id, "start": start, "end": end})
        for one in DOCUMENTS
        for start, end in ((0, 9), (9, len(one.text)))
    )
    train = tuple(replace(one, evidence=(f"{one.evidence[0]}@0-9",)) for one in TRAIN)
    cut = replace(PEOPLE_DATASET, documents=chunks, train=train, restated={"Bo-1": ("The drink is tea.",)})
    (row,) = rows(Documents(False, 1, "shuffled"), cut)
    assert (row.completion, row.cluster, row.id) == ("Bo\nThe drink is tea.", "bo", "Bo-1")


def test_grouped_texts_stand_together_by_cluster_and_shuffled_ones_apart() -> None:
    grouped, shuffled = Documents(True, 3, "grouped"), Documents(True, 3, "shuffled")
    together, apart = ([row.cluster for row in rows(data)] for data in (grouped, shuffled))
    assert Counter(together) == Counter(apart) == dict.fromkeys(map(str.lower, PEOPLE), 8)
    assert sum(one != other for one, other in pairwise(together)) == 3
    assert sum(one != other for one, other in pairwise(apart)) > 12
    assert (grouped.keeps_order, shuffled.keeps_order) == (True, False)
    assert [row.id for row in rows(grouped)][:8] != sorted(row.id for row in rows(grouped)[:8])  # at random within


def test_grouped_questions_stand_together_by_cluster_and_exercises_anywhere_between(dataset: QADataset) -> None:
    found, shuffled = (rows(QA(0.15, order), dataset) for order in ("grouped", "shuffled"))
    assert sorted(texts(found)) == sorted(texts(shuffled))
    order = [row.cluster for row in of(found, "qa")]
    assert sum(one != other for one, other in pairwise(order)) == len(set(order)) - 1 > 30
    assert list(dict.fromkeys(order)) != list(dict.fromkeys(example.cluster for example in dataset.train))  # at random
    assert [row.id for row in of(found, "qa")][:6] != sorted(row.id for row in of(found, "qa")[:6])  # and within
    assert [row for row in found if not row.cluster] == of(found, "replay")
    assert [row.source for row in found] == [row.source for row in shuffled]
    assert rows(QA(0.15, "grouped"), dataset) == found != rows(QA(0.15, "grouped"), dataset, seed=1)
    assert QA(0.15, "grouped").keeps_order
    assert not QA(0.15, "shuffled").keeps_order


def test_a_document_is_about_what_its_only_question_is_about_else_its_title_else_itself() -> None:
    documents = (*DOCUMENTS, Document("x", "Nobody.", "Xenia"), Document("y", "Nothing."))
    both = Example("both", "Who is older?", ("Ada",), ("Ada-0", "Bo-0"), "ada and bo")
    found = clusters_of(replace(PEOPLE_DATASET, documents=documents, train=(*TRAIN, both)))
    assert found == {**{f"{name}-{at}": name.lower() for name in PEOPLE for at in (0, 1)}, "x": "Xenia", "y": "y"}


@pytest.mark.parametrize(("texts_per_question", "n_texts", "n_questions"), [(1.0, 8, 8), (4.0, 16, 4), (0.5, 8, 16)])
def test_mixing_repeats_rows_of_the_fewer_and_leaves_none_out(texts_per_question: float, n_texts: int, n_questions: int) -> None:
    found = rows(Mixed(0, texts_per_question, "reading", 0.0))
    counts = [Counter(row.id for row in of(found, source)) for source in ("documents", "qa")]
    assert [sum(count.values()) for count in counts] == [n_texts, n_questions]
    assert counts[0].keys() == {document.id for document in DOCUMENTS}
    assert counts[1].keys() == {example.id for example in TRAIN}
    assert every(max(count.values()) - min(count.values()) <= 1 for count in counts)


def test_mixing_takes_restatements_and_general_rows_in_their_share() -> None:
    found = rows(Mixed(1, 4.0, "others", 0.2))
    assert Counter(row.source for row in found) == {"documents": 8, "paraphrase": 8, "qa": 4, "replay": 5}
    asked = {PROMPT.render(example, ()).text for example in OTHERS}
    assert {row.prompt for row in of(found, "replay")} <= asked
    assert every("Eve" in row.prompt for row in of(rows(Mixed(1, 4.0, "reading", 0.2)), "replay"))


def test_rows_come_in_no_order_of_kind_or_question(dataset: QADataset) -> None:
    places = {example.id: at for at, example in enumerate(dataset.train)}
    for data in (QA(0.1), Mixed(0, 1.0, "reading", 0.2), Raft(3, 0.5)):
        found = rows(data, dataset)
        order = [places.get(row.id, -1) for row in found]
        assert 0.3 < sum(one > other for one, other in pairwise(order)) / len(order) < 0.7
        if len({row.source for row in found}) > 1:
            assert sum(one.source != other.source for one, other in pairwise(found)) > 0.1 * len(found)


def test_raft_shows_the_evidence_in_the_share_that_was_asked_for_and_others_in_every_row(dataset: QADataset) -> None:
    found = [passages(row) for row in sorted(rows(Raft(3, 0.5)), key=lambda row: row.id)]
    has_gold = [f"{name}-0" in ids for name, ids in zip(PEOPLE, found, strict=True)]
    assert sum(has_gold) == 2
    assert {len(ids) for ids in found} == {3}
    big = rows(Raft(3, 0.8), dataset)
    text = {document.id: document.text for document in dataset.documents}
    shown = [text[example.evidence[0]] in row.prompt for row in big for example in dataset.train if example.id == row.id]
    assert sum(shown) == round(0.8 * len(big))


def test_raft_answers_in_every_row_and_the_evidence_has_no_place_of_its_own(dataset: QADataset) -> None:
    by_id = {example.id: example for example in TRAIN}
    assert every(row.completion == f" {by_id[row.id].answers[0]}" for row in rows(Raft(2, 0.0)))
    places = Counter(
        passages(row).index(row.id.replace("train-", "") + "-0") for seed in range(10) for row in rows(Raft(3, 1.0), seed=seed)
    )
    assert places.keys() == {0, 1, 2}


def test_a_distractor_of_raft_is_about_somebody_else_and_shares_words_with_the_question() -> None:
    for row in rows(Raft(2, 1.0)):
        name = row.id.removeprefix("train-")
        gold, other = sorted(passages(row), key=lambda id: not id.startswith(name))
        assert gold == f"{name}-0"
        assert not other.startswith(name)
    asked = Example("q", "What is the favourite drink of Ada?", ("Tea",), ("Ada-1",), "ada")
    (row,) = rows(Raft(3, 1.0), replace(PEOPLE_DATASET, train=(asked,)))
    assert {id[-2:] for id in passages(row)} == {"-1"}  # the drinks of others


def test_raft_keeps_all_the_evidence_even_where_it_is_more_than_asked_for() -> None:
    both = Example("both", "Who drinks tea?", ("Ada and Bo",), ("Ada-1", "Bo-1"), "")
    (row,) = rows(Raft(1, 1.0), replace(PEOPLE_DATASET, train=(both,)))
    assert sorted(passages(row)) == ["Ada-1", "Bo-1"]


def test_raft_teaches_to_abstain_where_a_question_has_no_answer() -> None:
    (row,) = rows(Raft(2, 1.0), replace(PEOPLE_DATASET, train=(Example("n", "Where does Zoe live?", ()),)))
    assert (row.completion, len(passages(row))) == (f" {ABSTENTION}", 2)


@pytest.mark.parametrize("data", EVERY_KIND)
def test_no_row_holds_two_documents_of_one_entity(data: TrainingData) -> None:
    every = world("ci", 0, n_restatements=2)
    about = clusters_of(every)
    held = {document.text: about[document.id] for document in every.documents}
    held |= {text: about[id] for id, those in every.restated.items() for text in those}
    found = rows(data, every)
    assert len(found) > 50
    for row in found:
        text = f"{row.prompt} {row.completion}"
        clusters = [cluster for one, cluster in held.items() if one in text]
        assert len(clusters) == len(set(clusters))
        assert len(clusters) == 3 or row.source != "raft"


@pytest.mark.parametrize("data", EVERY_KIND)
def test_no_test_question_is_trained_on(data: TrainingData) -> None:
    every = world("ci", 0, n_restatements=2)
    found = [f"{row.prompt} {row.completion}" for row in rows(data, every)]
    assert none_of(example.question in text for text in found for example in (*every.test[:50], *every.dev[:50]))


@pytest.mark.parametrize("split", ["test", "dev"])
def test_a_row_that_holds_a_question_word_for_word_is_refused_by_name(split: str) -> None:
    leak = Document("faq", "Asked often: in which town is ADA, at home?  Adatown.", "Questions")
    leaky = replace(PEOPLE_DATASET, documents=(*DOCUMENTS, leak), **{"test": (), split: TEST})
    with pytest.raises(DataError, match="leak: the training row of documents 'faq' holds the question 'test-Ada' word for word"):
        rows(Documents(True, 0, "shuffled"), leaky)
    assert rows(QA(0.0), leaky)


def test_what_a_question_has_in_common_by_chance_is_no_leak() -> None:
    def check(text: str, *asked: Example) -> None:
        check_leaks([TrainingRow("", text)], replace(PEOPLE_DATASET, test=asked))

    whole = Example("t", "In which town is Ada?", ("Adatown",))
    with pytest.raises(DataError, match="'t'"):
        check("Somebody asked: in which town is Ada?", whole)
    check("Somebody asked: in which town is Adam?", whole)  # another word
    check("In which old town is Ada?", whole)
    check("Who is Ada?", Example("short", "Who is Ada?", ("A person",)))
    check("Where does she live, then?", replace(whole, question="Where does she live, then?", history=(TURN,)))
    check(TRAIN[0].question, replace(whole, question=TRAIN[0].question))  # judged with the splits


@pytest.mark.parametrize(
    ("data", "lacking", "said"),
    [
        (QA(0.0), {"train": ()}, r"dataset\.train_share"),
        (QA(0.0, "grouped"), {}, r"found none\. Set adapter\.data\.order=shuffled"),
        (QA(0.0, unknown_share=0.5), {"others": ()}, r"unknown_share=0\.5 takes 2 questions .* found 0\. Set adapter\.data\.unknown_share"),
        (QA(0.0, unknown_share=0.5), {"train": OTHERS}, "takes 10 questions .* found 0"),
        (QA(0.0, unknown_share=0.5), {"others_are_of_source": True}, "takes 2 questions about entities of no document, found 0"),
        (Mixed(0, 1.0, "others", 0.1), {"others_are_of_source": True}, r"nothing general .others. to mix in"),
        (QA(0.0), {"train": (BARE,)}, "1 training questions have no gold answer to learn .first: 'bare'"),
        (Raft(3, 0.5), {"train": (BARE,)}, "1 training questions have no gold answer to learn .first: 'bare'"),
        (Raft(3, 0.5), {"train": ()}, r"dataset\.train_share"),
        (Documents(True, 0, "shuffled"), {"documents": ()}, "adapter/data=qa"),
        (Documents(True, 4, "shuffled"), {}, r"expected 4 restatements of each document, found 3\. Set dataset\.n_restatements=4"),
        (Documents(False, None, "shuffled"), {"restated": {}}, "expected 1 restatements of each document, found 0"),
        (Mixed(0, 1.0, "others", 0.1), {"others": ()}, r"adapter\.data\.replay_share=0"),
        (
            Mixed(0, 1.0, "reading", 0.1),
            {"reading": (), "train": tuple(replace(one, evidence=()) for one in TRAIN)},
            r"to mix in: no training question .* names evidence in the corpus\. Set adapter\.data\.replay_share=0",
        ),
        (QA(0.0), {"train": (Example("n", "Where does Zoe live?", ()),)}, r"none of 1 training questions has an answer.*set it to null"),
        (Raft(3, 0.5), {"train": (replace(TRAIN[0], evidence=()),)}, "'train-Ada'.*mode=rag_finetune"),
        (Raft(3, 0.5), {"train": (replace(TRAIN[0], evidence=("gone",)),)}, "'train-Ada'.*mode=rag_finetune"),
    ],
)
def test_what_a_dataset_lacks_is_said_with_the_way_out(data: TrainingData, lacking: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        rows(data, replace(PEOPLE_DATASET, **lacking))  # type: ignore[arg-type]


def test_documents_without_any_are_refused_before_there_is_a_dataset() -> None:
    with pytest.raises(ConfigError, match="nothing is left to train on"):
        Documents(False, 0, "shuffled")


def test_the_labels_are_the_answer_and_the_end_token_only(tiny: HF, dataset: QADataset) -> None:
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    found = training_rows(QA(0.1), tiny, PROMPT, dataset, 0)[:50]
    for row, tokens in zip(found, tokenized(tokenizer, found), strict=True):
        learned = [label for label in tokens["labels"] if label != -100]
        assert len(tokens["labels"]) == len(tokens["input_ids"])
        assert tokens["input_ids"][-len(learned) :] == learned
        assert tokenizer.decode(learned) == row.completion + tokenizer.eos_token
        assert tokenizer.decode(tokens["input_ids"][: -len(learned)]) == row.prompt


@pytest.mark.parametrize("has_template", [False, True])
def test_a_begin_token_stands_once_where_the_generator_has_it(tmp_path: Path, has_template: bool) -> None:
    tokenizer = with_begin_token(tmp_path / "tiny", has_template)
    generator = HF(str(tmp_path / "tiny"), "float32", "cpu", max_new_tokens=8, token_budget=4096)
    prompt = PROMPT.render(TRAIN[0], ())
    (tokens,) = tokenized(tokenizer, [row_of(generator, PROMPT, TRAIN[0], ())])
    n_prompt = tokens["labels"].count(-100)
    assert tokens["input_ids"][:n_prompt].count(tokenizer.eos_token_id) == 1
    assert n_prompt == generator.count_tokens([prompt])[0]


@pytest.mark.parametrize("has_template", [False, True])
def test_every_token_of_a_document_is_learned_after_one_begin_token_and_no_template(tmp_path: Path, has_template: bool) -> None:
    tokenizer = with_begin_token(tmp_path / "tiny", has_template)
    (tokens,) = tokenized(tokenizer, [TrainingRow("", "Ada lives in Adatown.")])
    assert tokens["labels"] == tokens["input_ids"]
    assert tokenizer.decode(tokens["input_ids"]) == f"{tokenizer.eos_token}Ada lives in Adatown.{tokenizer.eos_token}"


def with_begin_token(folder: Path, has_template: bool) -> AutoTokenizer:
    """As Llama 3 has it: the tokenizer adds a begin token to plain text, and the chat template writes it itself."""
    shutil.copytree(TINY, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    begin, post = tokenizer.eos_token, tokenizer.backend_tokenizer.post_processor.__class__
    tokenizer.backend_tokenizer.post_processor = post(single=f"{begin} $A", special_tokens=[(begin, tokenizer.eos_token_id)])
    if has_template:
        tokenizer.chat_template = begin + "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    return tokenizer


CHAT = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"


def test_one_end_token_ends_a_row_of_a_tokenizer_that_appends_its_own(tmp_path: Path, tiny: HF) -> None:
    folder = append_end_token(Path(shutil.copytree(TINY, tmp_path / "tiny")))
    generator = HF(str(folder), "float32", "cpu", max_new_tokens=8, token_budget=4096)
    found, usual = ([row_of(one, PROMPT, TRAIN[0], ()), TrainingRow("", "Ada lives in Adatown.")] for one in (generator, tiny))
    assert found == usual
    appending, plain = (tokenized(AutoTokenizer.from_pretrained(one), found) for one in (folder, TINY))
    assert appending == plain
    assert [row["input_ids"].count(1) for row in appending] == [1, 1]
    assert generator.count_row_tokens(found) == [len(row["input_ids"]) for row in appending]


@pytest.mark.parametrize("style", ["chat", "plain"])
def test_what_a_row_spells_is_learned_as_text_in_prompt_answer_and_document(tmp_path: Path, style: Style) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    (folder / "chat_template.jinja").write_text(CHAT)
    tokenizer, generator = AutoTokenizer.from_pretrained(folder), HF(str(folder), "float32", "cpu", max_new_tokens=8, token_budget=4096)
    spelling = replace(TRAIN[0], question="What does <|pad|> do?", answers=("<|end|>",))
    rows = [row_of(generator, PromptTemplate("Say.", style=style), spelling, ()), TrainingRow("", "The tag <|end|> is the end.")]
    assert rows[0].completion == ("<|end|>" if style == "chat" else " <|end|>")
    assert rows[0].prompt.startswith("[system] Say." if style == "chat" else "Say.")
    for row, tokens in zip(rows, tokenized(tokenizer, rows), strict=True):
        assert tokens["input_ids"].count(1) == 1
        assert tokens["input_ids"].count(0) == 0
        assert tokens["input_ids"][-1] == tokens["labels"][-1] == 1
        assert tokenizer.decode(tokens["input_ids"][:-1]) == row.prompt + row.completion


def test_a_plain_row_is_what_the_generator_is_given_for_a_plain_prompt(tmp_path: Path) -> None:
    tokenizer = with_begin_token(tmp_path / "tiny", has_template=True)
    generator, prompt = (
        HF(str(tmp_path / "tiny"), "float32", "cpu", max_new_tokens=8, token_budget=4096),
        PromptTemplate("Say.", style="plain"),
    )
    (tokens,) = tokenized(tokenizer, [row_of(generator, prompt, TRAIN[0], ())])
    n_prompt = tokens["labels"].count(-100)
    assert tokens["input_ids"][:n_prompt] == generator._encode([prompt.render(TRAIN[0], ())])[0]
    assert tokens["input_ids"][:n_prompt].count(tokenizer.eos_token_id) == 1  # as its begin token


def test_a_thought_that_the_prompt_opens_is_ended_before_the_answer_that_is_learned(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    (folder / "chat_template.jinja").write_text(CHAT.replace("[assistant] {% endif", "[assistant] <think>{% endif"))
    generator = HF(str(folder), "float32", "cpu", max_new_tokens=8, token_budget=4096)
    row = row_of(generator, PROMPT, TRAIN[0], ())
    assert row.prompt.endswith("[assistant] <think>")
    assert row.completion == f"\n</think>\n\n{TRAIN[0].answers[0]}"


def test_rows_are_refused_where_the_tokenizer_has_no_end_token() -> None:
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    tokenizer.eos_token = None
    with pytest.raises(DataError, match="no end token"):
        tokenized(tokenizer, [TrainingRow("", "Ada lives in Adatown.")])
