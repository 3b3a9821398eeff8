"""Real data sets: read whole, split by what their questions are about, evidence in the corpus, gold where it should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rag_eval.data.leakage import check_splits
from rag_eval.data.sources.chunk_eval import chunk_eval
from rag_eval.data.sources.fictional import fictional
from rag_eval.data.sources.hotpot import hotpot
from rag_eval.data.sources.lara import lara
from rag_eval.data.sources.medquad import medquad
from rag_eval.data.sources.nq_open import nq_open
from rag_eval.data.sources.pubmedqa import pubmedqa
from rag_eval.data.sources.qed import qed
from rag_eval.data.sources.scifact import scifact
from rag_eval.data.sources.squad import squad
from rag_eval.score.metric import metric
from rag_eval.score.self_check import gold_scores
from rag_eval.text.normalize import normalize
from rag_eval.text.spans import span_of
from rag_eval.types import Example, QADataset
from tests.claims import every

pytestmark = pytest.mark.real
FICTIONAL = "fictional_knowledge/fictional_knowledge_paraphrased.json"
SHARDS, DEV = "nq-train-*-qed.jsonlines", "qed-dev.jsonlines"

# by name: how it is read, documents, questions by part (train, dev, test)
SOURCES: dict[str, tuple[Callable[[Path], QADataset], int, tuple[int, int, int]]] = {
    "qed": (lambda real: qed(str(real / "qed"), SHARDS, DEV), 6_603, (5_205, 0, 1_355)),
    "qed, the test alone": (lambda real: qed(str(real / "qed"), None, DEV), 1_343, (0, 0, 1_355)),
    "nq_open": (lambda real: nq_open(str(real / "nq_open/NQ-open.dev.jsonl"), 0.0, 0), 0, (0, 0, 3_608)),
    "medquad": (lambda real: medquad(str(real / "medquad_gard"), 0.0, 0), 5_389, (0, 0, 5_389)),
    "medquad, halved": (lambda real: medquad(str(real / "medquad_gard"), 0.5, 0), 5_389, (2_464, 260, 2_665)),
    "pubmedqa": (lambda real: pubmedqa(str(real / "pubmedqa")), 1_000, (500, 0, 500)),
    "hotpot": (lambda real: hotpot(str(real / "hotpotqa_100/hotpotqa_train.json"), 0.0, 0), 994, (0, 0, 100)),
    "scifact": (lambda real: scifact(str(real / "scifact_csv/scifact.zip"), "validation"), 5_183, (0, 0, 300)),
    "scifact, claims of train": (lambda real: scifact(str(real / "scifact_csv/scifact.zip"), "train"), 5_183, (0, 0, 809)),
    "fictional": (lambda real: fictional(str(real / FICTIONAL), False, 0.0, 0), 130, (0, 0, 1_950)),
    "fictional, with paraphrases": (lambda real: fictional(str(real / FICTIONAL), True, 0.5, 0), 490, (885, 90, 975)),
    "chunk_eval": (lambda real: chunk_eval(str(real / "chunking_evaluation")), 5, (0, 0, 472)),
}
# further ones with gold answers
GOLD: dict[str, Callable[[Path], QADataset]] = {
    "squad2": lambda real: squad(str(real / "squad2_halfdev/dev-v2.0.json"), 0.0, 0),
    "xquad": lambda real: squad(str(real / "xquad/xquad.en.json"), 0.0, 0),
    "lara": lambda real: lara(str(real / "lara_predictions")),
}
CONF = Path(__file__).parents[2] / "conf" / "metrics"


@pytest.fixture(scope="module")
def real() -> Path:
    if "RAG_EVAL_DATA" not in os.environ:
        pytest.skip("the environment variable RAG_EVAL_DATA names no folder of real data")
    return Path(os.environ["RAG_EVAL_DATA"])


@pytest.fixture(scope="module")
def read(real: Path) -> Callable[[str], QADataset]:
    """`read("qed")`; each is read once."""
    done: dict[str, QADataset] = {}

    def call(name: str) -> QADataset:
        if name not in done:
            done[name] = SOURCES[name][0](real)
        return done[name]

    return call


def everything(dataset: QADataset) -> list[Example]:
    return [*dataset.train, *dataset.dev, *dataset.test]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_read_whole_and_its_parts_are_about_different_things(read: Callable[[str], QADataset], name: str) -> None:
    dataset = read(name)
    assert (len(dataset.documents), tuple(map(len, (dataset.train, dataset.dev, dataset.test)))) == SOURCES[name][1:]
    parts = [{example.cluster for example in part} for part in (dataset.train, dataset.dev, dataset.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert not {normalize(example.question) for example in dataset.train} & {normalize(example.question) for example in dataset.test}
    known = {document.id for document in dataset.documents}
    assert every(example.evidence for example in everything(dataset)) == (name != "nq_open")
    assert every(set(example.evidence) | example.holders <= known for example in everything(dataset))
    is_retrieval_only = name.startswith(("scifact", "chunk_eval"))
    assert {(bool(example.answers), example.grading.retrieval_only) for example in everything(dataset)} == {
        (not is_retrieval_only, is_retrieval_only)
    }


@pytest.mark.parametrize("name", [*GOLD, *(name for name in SOURCES if "," not in name)])
def test_gold_scores_1_by_every_metric(real: Path, read: Callable[[str], QADataset], name: str) -> None:
    dataset = GOLD[name](real) if name in GOLD else read(name)
    named = {target for file in ("qa", "long") for target in yaml.safe_load((CONF / f"{file}.yaml").read_text())["answer"].values()}
    metrics = {target: metric(target) for target in named}
    worst = gold_scores(metrics, everything(dataset))
    assert len(worst) == 7
    assert set(worst.values()) == {1.0} or name.startswith(("scifact", "chunk_eval"))  # those have no gold answers


def test_a_qed_passage_holds_every_answer_and_stands_once(read: Callable[[str], QADataset]) -> None:
    dataset = read("qed")
    texts = {document.id: document.text for document in dataset.documents}
    single = [(answer, texts[example.evidence[0]]) for example in everything(dataset) for answer in example.answers if ", " not in answer]
    assert len(set(texts.values())) == len(texts)
    assert len(single) > 5_000
    assert every(answer in text for answer, text in single)
    by_id = {example.id: example for example in everything(dataset)}
    assert by_id["983205727477003999"].answers == ("season two",)  # the shard says "season tw" of these characters
    designers = next(example for example in dataset.test if example.question == "who designed the garden city of new earswick")
    assert designers.answers[2] == "planner Raymond Unwin, architect Barry Parker"  # one annotator's two spans
    assert [sum(example.meta["kind"] == kind for example in dataset.test) for kind in ("single_sentence", "multi_sentence", "none")] == [
        1_021,
        183,
        151,
    ]


def test_what_qed_leaves_out_is_said(real: Path, caplog: pytest.LogCaptureFixture) -> None:
    qed(str(real / "qed"), SHARDS, DEV)
    assert "left out 18 of 6914 questions" in caplog.text
    assert "left out 336 training questions about articles of the test" in caplog.text


def test_diseases_of_medquad_that_share_an_answer_go_to_one_part_and_equal_answers_count(read: Callable[[str], QADataset]) -> None:
    dataset = read("medquad, halved")
    texts = {document.id: document.text for document in dataset.documents}
    twins = [example for example in everything(dataset) if example.grading.same_as]
    assert len(twins) == 73
    assert len({texts[example.id] for example in twins}) == 23
    assert every({texts[id] for id in example.holders} == set(example.answers) for example in twins)
    parts = [{texts[example.id] for example in part} for part in (dataset.train, dataset.dev, dataset.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert sum(example.meta["kind"] == "symptoms" for example in everything(dataset)) == 2_365
    assert {example.cluster for example in dataset.test if example.id.startswith("0000043-")} <= {"0000042"}  # Achondrogenesis, type 1A


def test_pubmedqa_gives_the_decision_and_keeps_the_conclusion_apart(read: Callable[[str], QADataset]) -> None:
    dataset = read("pubmedqa")
    said = [example.answers for example in everything(dataset)]
    assert [said.count((label,)) for label in ("yes", "no", "maybe")] == [552, 338, 110]
    assert {example.grading.comparator for example in everything(dataset)} == {"yes_no_maybe"}
    texts = {document.id: document.text for document in dataset.documents}
    assert every(example.meta["long_answer"] not in texts[example.id] for example in everything(dataset))


def test_a_question_of_hotpot_needs_two_articles(read: Callable[[str], QADataset]) -> None:
    dataset = read("hotpot")
    assert {len(example.evidence) for example in dataset.test} == {2}
    assert [sum(example.meta["kind"] == kind for example in dataset.test) for kind in ("bridge", "comparison")] == [78, 22]


def test_the_lists_of_scifact_are_read_item_by_item(read: Callable[[str], QADataset]) -> None:
    dataset = read("scifact")
    first = next(document for document in dataset.documents if document.id == "4983")
    assert "functional disabilities. A line scan" in first.text
    by_id = {example.id: example for example in dataset.test}
    assert by_id["36"].evidence == ("5152028", "11705328")
    assert sum(len(example.evidence) for example in dataset.test) == 340 - 1  # claim 1245 cites an abstract twice
    assert [sum(example.meta["kind"] == kind for example in dataset.test) for kind in ("supported", "contradicted", "undecided")] == [
        124,
        64,
        112,
    ]


def test_the_article_holds_what_its_probes_ask_in_its_own_words(read: Callable[[str], QADataset]) -> None:
    dataset = read("fictional, with paraphrases")
    texts = {document.id: normalize(document.text) for document in dataset.documents}
    near = [example for example in everything(dataset) if example.meta["kind"] in {"mem", "gen"}]
    assert len(near) == 1_300
    assert every(normalize(example.answers[0]) in texts[example.evidence[0]] for example in near)
    assert {len(example.holders) for example in everything(dataset)} == {1, 10}
    assert sum(len(example.holders) == 10 for example in everything(dataset)) == 40 * 15


def test_gold_spans_are_characters_of_the_whole_documents(read: Callable[[str], QADataset]) -> None:
    dataset = read("chunk_eval")
    texts = {document.id: document.text for document in dataset.documents}
    spans = [span for example in dataset.test for span in example.grading.spans]
    assert len(spans) == 790
    assert every(span.end <= len(texts[span.source]) for span in spans)
    country = next(example for example in dataset.test if example.question.startswith("Which country is Putin invading"))
    (span,) = country.grading.spans
    assert texts[span.source][span.start : span.end].startswith("Overseas, Putin of Russia is on the march")
    for document in dataset.documents:
        whole = span_of(document.meta)
        assert whole is not None
        assert (whole.source, whole.start, whole.end) == (document.id, 0, len(document.text))


@pytest.mark.parametrize(
    ("kinds", "sizes"), [((), (616, 165, 539, 630)), (("mem",), (295, 110, 590, 300)), (("mem", "gen"), (590, 55, 295, 600))]
)
def test_fictional_knowledge_is_divided_by_question_or_by_kind(real: Path, kinds: tuple[Any, ...], sizes: tuple[int, ...]) -> None:
    dataset = fictional(str(real / FICTIONAL), False, 0.5, 0, "question", train_kinds=kinds)
    assert tuple(map(len, (dataset.train, dataset.dev, dataset.test, dataset.others))) == sizes
    assert {one.cluster for one in dataset.train} == {one.cluster for one in dataset.test}
    assert not kinds or {one.meta["kind"] for one in (*dataset.train, *dataset.others)} == set(kinds)
    check_splits(dataset, [])
