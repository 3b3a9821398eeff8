"""Split by question, every arm is asked the same, and what trains is about the tested articles, or about others as a control."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import datasets
import pytest

from rag_eval.config.build import dataset_of
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.data.leakage import check_splits
from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.split import Split, Splitting
from rag_eval.data.rows.split_by_question import by_question
from rag_eval.data.rows.validate import CheckedQuestion
from rag_eval.errors import DataError
from rag_eval.exemplars import chosen
from rag_eval.prompt_form import _asked
from rag_eval.record import identity
from rag_eval.run_spec import RunSpec
from rag_eval.types import Document, Example, QADataset
from tests.claims import every

BY = Splitting("question")
OTHERS = replace(BY, lessons="others")


def article(name: str, n: int, n_unanswered: int = 0, kinds: Sequence[str] = ("",)) -> list[Example]:
    answered = [
        Example(f"{name}-{at}", f"What is part {at} of {name}?", (f"{name}{at}",), (name,), name, meta={"kind": kinds[at % len(kinds)]})
        for at in range(n)
    ]
    return answered + [Example(f"{name}-u{at}", f"Who lost part {at} of {name}?", (), (), name) for at in range(n_unanswered)]


MANY = [one for at in range(24) for one in article(f"a{at}", 6 + at % 5, 4)]


def parts(examples: Sequence[Example], share: float = 0.5, seed: int = 0, splitting: Splitting = BY) -> dict[Split, list[Example]]:
    drawn = by_question("set", examples, share, seed, splitting)
    return {part: [one for one in examples if drawn.get(one.id) == part] for part in ("train", "dev", "test", "others")}


def clusters(examples: Sequence[Example]) -> set[str]:
    return {example.cluster for example in examples}


def rows(examples: Sequence[Example], split: Split | Literal[""] = "") -> list[CheckedQuestion]:
    return [CheckedQuestion(one.id, one.question, one.answers, one.evidence, one.cluster, split, (), one.meta) for one in examples]


def assembled(questions: Sequence[CheckedQuestion], splitting: Splitting = BY, share: float = 0.5) -> QADataset:
    documents = [Document(name, f"About {name}.") for name in sorted({one.cluster for one in questions})]
    return assemble("set", documents, questions, share, 0, splitting)


def test_what_is_tested_is_trained_on_in_other_questions_and_the_rest_is_about_other_articles() -> None:
    found = parts(MANY)
    assert clusters(found["test"]) == clusters(found["train"])
    assert len(clusters(found["test"])) + len(clusters(found["dev"])) + len(clusters(found["others"])) == 24
    assert sum(map(len, found.values())) == len(MANY)
    answered = Counter(one.cluster for one in found["train"] if one.is_answerable)
    assert every(answered[name] == pytest.approx(len(those) / 2, abs=0.5) for name, those in _answered(found).items())


def _answered(found: dict[Split, list[Example]]) -> dict[str, list[Example]]:
    both = [one for one in (*found["train"], *found["test"]) if one.is_answerable]
    return {name: [one for one in both if one.cluster == name] for name in clusters(both)}


def test_others_are_as_many_as_train_and_no_cluster_more() -> None:
    for share in (0.25, 0.5, 0.75):
        found = parts(MANY, share)
        n, n_train = len(found["others"]), len(found["train"])
        assert n >= n_train or len(clusters(found["test"])) == 1
        assert n - n_train < 2 * 14 or len(clusters(found["others"])) == 5  # two articles of 14 questions at most, or a fifth


def test_the_share_of_others_may_be_given() -> None:
    for share, sizes in ((0.5, [2, 12, 10]), (0.1, [2, 5, 17])):  # five at least, for exemplars
        found = parts(MANY, splitting=replace(BY, others_share=share))
        assert [len(clusters(found[part])) for part in ("dev", "others", "test")] == sizes


@pytest.mark.parametrize(("n", "sizes"), [(3, [1, 1, 1]), (8, [1, 4, 3]), (12, [1, 5, 6])])
def test_of_few_articles_at_most_half_are_others(n: int, sizes: list[int]) -> None:
    found = parts([one for at in range(n) for one in article(f"a{at}", 6)])
    assert [len(clusters(found[part])) for part in ("dev", "others", "test")] == sizes


def test_questions_without_an_answer_are_divided_by_the_same_shares() -> None:
    single = [Example(f"u{at}", f"Who lost {at}?", (), cluster=f"u{at}") for at in range(40)]
    found = parts([*(one for at in range(12) for one in article(f"a{at}", 4)), *single])
    assert Counter({part: sum(not one.is_answerable for one in those) for part, those in found.items()}) == Counter(
        {"dev": 3, "others": 17, "train": 10, "test": 10}  # as of the 12 articles 1, 5 and 6
    )


def test_an_article_with_one_answered_question_is_with_the_others(caplog: pytest.LogCaptureFixture) -> None:
    lone, repeated = article("lone", 1, 3), [replace(one, question="Which part?") for one in article("repeated", 3)]
    with caplog.at_level(logging.WARNING):
        found = parts([*MANY, *lone, *repeated])
    assert not clusters([*lone, *repeated]) - clusters(found["others"])
    assert "2 of 26 clusters have too few answered questions to be tested" in caplog.text


def test_where_nothing_trains_all_of_a_tested_article_is_tested_and_others_remain() -> None:
    examples = [*MANY, *article("lone", 1)]
    found = parts(examples, share=0.0)
    assert not found["train"]
    assert len(clusters(found["others"])) == 5
    assert {one.id for one in found["test"]} == {one.id for one in examples if one.cluster in clusters(found["test"])}


def test_the_seed_and_the_questions_decide_and_not_their_order() -> None:
    drawn = by_question("set", MANY, 0.5, 1, BY)
    assert by_question("set", MANY[::-1], 0.5, 1, BY) == drawn != by_question("set", MANY, 0.5, 2, BY)


def test_more_questions_about_one_article_leave_the_tested_questions_of_the_others_alone() -> None:
    given = replace(BY, others_share=0.3)
    before, after = (
        parts([one for one in those if one.is_answerable], splitting=given) for those in (MANY, [*MANY, *article("a3", 30)[20:]])
    )
    for name in clusters(before["test"]) - {"a3"}:
        assert [one for one in after["test"] if one.cluster == name] == [one for one in before["test"] if one.cluster == name]


def test_no_question_stands_in_two_parts_word_for_word(caplog: pytest.LogCaptureFixture) -> None:
    again = [replace(one, id=f"{one.id}-again", question=one.question.upper()) for one in MANY]
    elsewhere = [
        replace(one, question="When was it founded?")
        for one in (one for at in range(24) for one in article(f"b{at}", 3))
        if one.id.endswith("-0")
    ]
    rest = [one for at in range(24) for one in article(f"b{at}", 3) if not one.id.endswith("-0")]
    with caplog.at_level(logging.WARNING):
        found = parts([*MANY, *again, *elsewhere, *rest])
    words = {part: {one.question.lower() for one in those} for part, those in found.items()}
    assert not words["test"] & (words["train"] | words["dev"] | words["others"])
    assert not words["dev"] & (words["train"] | words["others"])
    assert "which are in two parts word for word" in caplog.text
    assert {one.id for one in again} <= {one.id for those in found.values() for one in those}  # of one article, equal words go together


def test_kinds_that_train_leave_the_others_to_the_test() -> None:
    kinds = ("said", "meant", "follows")
    found = parts([one for at in range(30) for one in article(f"a{at}", 6, kinds=kinds)], splitting=replace(BY, train_kinds=("said",)))
    of_kind = {part: {one.meta["kind"] for one in those} for part, those in found.items()}
    assert of_kind == {"train": {"said"}, "others": {"said"}, "test": {"meant", "follows"}, "dev": {"meant", "follows"}}
    assert clusters(found["train"]) == clusters(found["test"])
    assert len(found["train"]) <= len(found["others"]) <= len(found["train"]) + 4


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([*article("a", 5), *article("b", 5), *article("c", 1)], r"needs 3 clusters .* found 2 of 3\. Give .* give every row a split"),
        ([*MANY, Example("q", "Where?", ("x",), cluster="q")], r"1 of \d+ have neither cluster nor evidence \(first: 'q'\)"),
    ],
)
def test_what_cannot_be_divided_is_refused_with_the_way_out(examples: list[Example], words: str) -> None:
    with pytest.raises(DataError, match=words):
        by_question("set", examples, 0.5, 0, BY)


def test_the_control_trains_on_as_many_others_and_stands_in_one_table_with_what_it_controls() -> None:
    own, control = (assembled(rows(MANY), splitting) for splitting in (BY, OTHERS))
    assert (control.test, control.dev, control.documents, control.others) == (own.test, own.dev, own.documents, own.others)
    assert len(control.train) == len(own.train)
    assert {one.id for one in control.train} <= {one.id for one in own.others}
    assert sum(one.is_answerable for one in control.train) == sum(one.is_answerable for one in own.train)
    assert not clusters(control.train) & clusters(own.test)
    assert control.counterpart == own.fingerprint != control.fingerprint
    check_splits(own, [])
    check_splits(control, [])


def test_fewer_others_than_training_questions_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        control = assembled(rows(MANY), replace(OTHERS, others_share=0.1))
    n_train = len(assembled(rows(MANY), replace(BY, others_share=0.1)).train)
    assert len(control.train) == len(control.others) < n_train
    assert f"{len(control.train)} questions about other articles stand in the place of {n_train} training questions" in caplog.text


def test_splits_of_ones_own_are_kept_and_may_name_others() -> None:
    asked, known, far, extra = article("a", 4), article("b", 4), article("c", 3), article("d", 2)
    questions = [*rows(asked[:2], "test"), *rows([*asked[2:], *far], "train"), *rows(known, "dev"), *rows(extra, "others")]
    own, control = (assembled(questions, splitting) for splitting in (Splitting(), Splitting(lessons="others")))
    assert (own.test, own.train, own.dev) == (tuple(asked[:2]), (*asked[2:], *far), tuple(known))
    assert set(map(id_of, own.others)) == set(map(id_of, [*extra, *far]))  # training questions about what is not tested, too
    assert set(map(id_of, control.train)) == set(map(id_of, [*extra, *far]))
    assert assembled(questions, BY) == own  # whatever they would be divided by


def id_of(example: Example) -> str:
    return example.id


def test_a_training_question_about_nobody_knows_what_is_not_taken_for_others() -> None:
    unknown = Example("x", "Where is it?", ("here",), cluster="x")
    questions = [*rows(article("a", 2), "test"), *rows([*article("b", 2), unknown], "train")]
    assert clusters(assembled(questions).others) == {"b"}


def test_a_row_of_others_is_part_of_what_a_dataset_is_known_by() -> None:
    questions = [*rows(article("a", 4)[:2], "test"), *rows(article("a", 4)[2:], "train")]
    one, other = (assembled([*questions, *rows([replace(article("b", 1)[0], answers=(answer,))], "others")]) for answer in "xy")
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("questions", "splitting", "words"),
    [
        (
            rows(MANY),
            Splitting(lessons="others"),
            "split by cluster, training is about other articles already. Set dataset.split_by=question",
        ),
        (
            [*rows(article("a", 4)[:2], "test"), *rows(article("a", 4)[2:], "train")],
            Splitting(lessons="others"),
            "needs questions about other articles than those of the test, found none. Give some rows split: others",
        ),
    ],
)
def test_a_control_that_would_be_none_is_refused(questions: list[CheckedQuestion], splitting: Splitting, words: str) -> None:
    with pytest.raises(DataError) as raised:
        assembled(questions, splitting)
    assert words in str(raised.value)


def test_others_that_ask_what_the_test_asks_are_a_leak_whatever_is_allowed() -> None:
    copied = replace(article("a", 1)[0], id="copy", cluster="b", evidence=("b",))
    questions = [*rows(article("a", 2), "test"), *rows([copied, *article("b", 1)], "others")]
    with pytest.raises(DataError, match=r"1 of 2 questions of test stand in others word for word \(others = test: copy = a-0\)"):
        check_splits(assembled(questions), ["questions"])


# As runs are configured

SQUAD = {
    "data": [
        {
            "title": name,
            "paragraphs": [
                {
                    "context": f"{name} lives in {name}town and is {at} years old.",
                    "qas": [
                        {
                            "id": f"{name}{at}{n}",
                            "question": f"Say {n} of {name} at {at}?",
                            "answers": [{"text": f"{name}town"}],
                            "is_impossible": False,
                        }
                        if n
                        else {"id": f"{name}{at}{n}", "question": f"Who saw {name} at {at}?", "answers": [], "is_impossible": True}
                        for n in range(4)
                    ],
                }
                for at in range(2)
            ],
        }
        for name in ("Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal", "Ina")
    ]
}
MODES = ("rag", "oracle", "closed_book", "few_shot", "prior", "finetune", "rag_finetune", "finetune_format", "rag_format")


@pytest.fixture
def run_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RunSpec, QADataset]]:
    """`run_of("rag", "squad", ...)`: the checked run and its dataset on the same questions in one of the formats."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "squad.json").write_text(json.dumps(SQUAD))
    (tmp_path / "docs").mkdir()
    questions = []
    for entry in SQUAD["data"]:
        name = entry["title"]
        (tmp_path / "docs" / f"{name}.txt").write_text(f"{name} lives in {name}town.")
        for qa in (qa for paragraph in entry["paragraphs"] for qa in paragraph["qas"]):  # type: ignore[attr-defined]
            answers = [one["text"] for one in qa["answers"]]
            questions.append(
                {"id": qa["id"], "question": qa["question"], "answers": answers, "unanswerable": not answers, "cluster": f"{name}.txt"}
                | ({"evidence": [f"{name}.txt"]} if answers else {})
            )
    documents = [{"id": f"{entry['title']}.txt", "text": f"{entry['title']} lives."} for entry in SQUAD["data"]]
    (tmp_path / "documents.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))
    table = [
        {
            "id": one["id"],
            "question": one["question"],
            "answers": one["answers"],
            "context": f"About {one['cluster']}.",
            "about": one["cluster"],
        }
        for one in questions
    ]
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(one) + "\n" for one in table))
    sources = {
        "hub": (
            f"dataset.path={tmp_path}/table.jsonl",
            "dataset.test=train",
            "dataset.columns.id=id",
            "dataset.columns.context=context",
            "dataset.columns.cluster=about",
            "dataset.empty_is_unanswerable=true",
        ),
        "squad": (f"dataset.path={tmp_path}/squad.json",),
        "folder": (f"dataset.documents={tmp_path}/docs", f"dataset.questions={tmp_path}/questions.jsonl"),
        "jsonl": (f"dataset.documents={tmp_path}/documents.jsonl", f"dataset.questions={tmp_path}/questions.jsonl"),
    }

    def call(mode: str, source: str, *more: str) -> tuple[RunSpec, QADataset]:
        spec = check(composed([f"mode={mode}", f"dataset={source}", *sources[source], *more]))
        return spec, dataset_of(spec)

    return call


@pytest.mark.parametrize("source", ["squad", "folder", "jsonl", "hub"])
def test_every_arm_is_asked_the_same_about_the_same_documents(run_of: Callable[..., Any], source: str) -> None:
    found = {mode: run_of(mode, source, "dataset.split_by=question") for mode in MODES}
    first, *rest = (dataset for _, dataset in found.values())
    for one in rest:
        assert (one.test, one.dev, one.documents, one.others) == (first.test, first.dev, first.documents, first.others)
    assert len(first.test) >= 10
    assert any(not one.is_answerable for one in first.test)
    assert first.dev
    compared = {identity.comparison(spec, dataset, dataset.test, {"base_model": "m"}).dataset for spec, dataset in found.values()}
    assert len(compared) == 1
    own, control = found["finetune"][1], found["finetune_format"][1]
    assert clusters(own.train) == clusters(own.test)
    assert not clusters(control.train) & clusters(own.test)
    assert len(own.train) == len(control.train)
    assert found["rag"][1].train == own.train  # shown to nobody, and there all the same


def test_exemplars_and_the_questions_of_the_probe_are_the_same_whatever_an_arm_trains_on(run_of: Callable[..., Any]) -> None:
    found = [run_of(mode, "squad", "dataset.split_by=question", "prompt.n_exemplars=4") for mode in ("finetune", "finetune_format", "rag")]
    shown = [chosen(dataset, 5) for _, dataset in found]
    assert shown[0] == shown[1] == shown[2]
    assert {one.example.cluster for one in shown[0]} <= clusters(found[0][1].others)
    probed = [_asked(dataset, ())[1] for _, dataset in found]
    assert probed[0] == probed[1] == probed[2]
    assert clusters(probed[0]) <= clusters(found[0][1].others)  # dev has too few


def test_a_share_that_is_given_is_the_share_by_question_too(run_of: Callable[..., Any]) -> None:
    less, more = (run_of("rag", "squad", "dataset.split_by=question", f"dataset.train_share={share}")[1] for share in (0.2, 0.8))
    assert len(less.train) < len(more.train)


def test_by_cluster_an_arm_that_trains_nothing_is_asked_everything(run_of: Callable[..., Any]) -> None:
    (_, rag), (_, finetune) = run_of("rag", "squad"), run_of("finetune", "squad")
    assert (len(rag.train), len(rag.test)) == (0, 72)
    assert len(finetune.test) == 40
    assert clusters(finetune.others) == clusters(finetune.train)
