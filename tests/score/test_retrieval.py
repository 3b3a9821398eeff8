import math
import random
from typing import Any

import ir_measures
import pytest
import yaml
from ir_measures import AP, RR, R, Rprec, Success, nDCG

from rag_eval.conf_folder import conf_dir
from rag_eval.score.metric import Metric, metric
from rag_eval.score.retrieval import as_evidence, average_precision, hit_at_k, ndcg_at_k, r_precision, recall_at_k, reciprocal_rank
from rag_eval.score.scorer import Scorer
from rag_eval.types import Document, Example, Grading, Prediction, Span

MEASURES = {recall_at_k: R, hit_at_k: Success, reciprocal_rank: RR, ndcg_at_k: nDCG, average_precision: AP}


def random_lists(seed: int) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What was found and what is gold, of 60 questions."""
    rng = random.Random(seed)
    ids = [f"d{at}" for at in range(15)]
    lists = {str(q): rng.sample(ids, rng.randint(1, 12)) for q in range(60)}
    return lists, {q: rng.sample([*ids, "absent"], rng.randint(1, 6)) for q in lists}


def theirs(measure: Any, lists: dict[str, list[str]], gold: dict[str, list[str]]) -> dict[str, float]:
    qrels = {q: dict.fromkeys(evidence, 1) for q, evidence in gold.items()}
    run = {q: {id: -float(rank) for rank, id in enumerate(found)} for q, found in lists.items()}
    values = {one.query_id: one.value for one in ir_measures.iter_calc([measure], qrels, run)}
    assert len(values) == 60
    assert len(set(values.values())) > 1
    return values


@pytest.mark.parametrize("k", [1, 3, 5, 10])
@pytest.mark.parametrize("ours", MEASURES)
def test_measures_agree_with_ir_measures_on_random_lists(ours, k: int) -> None:  # type: ignore[no-untyped-def]
    lists, gold = random_lists(k)
    assert {q: ours(lists[q], gold[q], k) for q in lists} == pytest.approx(theirs(MEASURES[ours] @ k, lists, gold))


@pytest.mark.parametrize("k", [1, 3, 5, 10])
def test_ndcg_of_graded_judgements_agrees_with_ir_measures(k: int) -> None:
    lists, gold = random_lists(k)
    rng = random.Random(k)
    grades = {q: {id: rng.randint(1, 4) for id in evidence} for q, evidence in gold.items()}
    run = {q: {id: -float(rank) for rank, id in enumerate(found)} for q, found in lists.items()}
    judged = {q: own | {"not relevant": 0} for q, own in grades.items()}
    values = {one.query_id: one.value for one in ir_measures.iter_calc([nDCG @ k], judged, run)}
    assert {q: ndcg_at_k(lists[q], grades[q], k) for q in lists} == pytest.approx(values)
    assert values != pytest.approx({q: ndcg_at_k(lists[q], gold[q], k) for q in lists})


def test_average_precision_of_all_that_was_found_agrees_with_ir_measures() -> None:
    lists, gold = random_lists(1)
    assert {q: average_precision(lists[q], gold[q], 12) for q in lists} == pytest.approx(theirs(AP, lists, gold))


def test_average_precision_by_hand() -> None:
    assert average_precision(["a", "x", "b", "y"], ["a", "b", "c"], 4) == pytest.approx((1 / 1 + 2 / 3) / 3)
    assert average_precision(["a", "x", "b"], ["a", "b", "c"], 2) == pytest.approx(1 / 3)


def test_the_gain_of_evidence_is_its_grade() -> None:
    assert ndcg_at_k(["a", "b"], {"a": 1, "b": 3}, 2) == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))


def test_r_precision_agrees_with_ir_measures_on_random_lists() -> None:
    lists, gold = random_lists(0)
    assert {q: r_precision(lists[q], gold[q], 12) for q in lists} == pytest.approx(theirs(Rprec, lists, gold))


def test_r_precision_looks_as_deep_as_there_is_distinct_evidence() -> None:
    assert r_precision(["a", "x", "b"], ["a", "b", "a"], 3) == 0.5  # b stands third, two are looked at
    assert r_precision(["a"], ["a", "b"], 2) == 0.5
    assert r_precision([], ["a"], 1) == 0.0
    assert math.isnan(r_precision(["a"], (), 1))
    assert math.isnan(r_precision(["a"], ["a", "b"], 1))  # no more than one was searched for


@pytest.mark.parametrize("measure", MEASURES)
def test_without_evidence_there_is_nothing_to_find_and_no_zero(measure) -> None:  # type: ignore[no-untyped-def]
    assert math.isnan(measure(["a"], (), 5))


@pytest.mark.parametrize("measure", MEASURES)
def test_finding_nothing_is_a_zero(measure) -> None:  # type: ignore[no-untyped-def]
    assert measure([], ["a"], 5) == measure(["b"], ["a"], 5) == measure(["b", "a"], ["a"], 1) == 0.0


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("evidence", [["a"], ["a", "c"], []])
def test_a_cut_off_below_1_is_refused_even_without_evidence(measure, evidence: list[str]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="at least 1 but is 0"):
        measure(["a"], evidence, 0)


def test_a_document_found_twice_and_evidence_listed_twice_count_once() -> None:
    assert recall_at_k(["a", "a", "b"], ["a", "a", "b", "c"], 3) == pytest.approx(2 / 3)
    assert ndcg_at_k(["a", "a"], ["a", "a"], 2) == 1.0


def test_two_of_three_found_at_ranks_2_and_4_by_hand() -> None:
    found, evidence = ["x", "a", "y", "b"], {"a", "b", "c"}
    assert recall_at_k(found, evidence, 3) == pytest.approx(1 / 3)
    assert recall_at_k(found, evidence, 4) == pytest.approx(2 / 3)
    assert reciprocal_rank(found, evidence, 4) == 0.5
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert ndcg_at_k(found, evidence, 4) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)


def test_a_document_that_says_the_same_stands_for_the_evidence() -> None:
    example = Example("q", "?", ("a",), ("d1", "d2"), grading=Grading(same_as={"d7": ("d1",), "d8": ("d1", "d2")}))
    assert as_evidence(["d5", "d7", "d8", "d1"], example) == [frozenset(), {"d1"}, {"d1", "d2"}, {"d1"}]
    assert [example.held(ids) for ids in (["d8"], ["d7"], ["d7", "d2"])] == [True, False, True]


def test_a_document_that_stands_for_all_of_the_evidence_finds_all_of_it() -> None:
    example = Example("q", "?", ("a",), ("d1", "d2", "d3"), grading=Grading(same_as={"pair": ("d1", "d2"), "all": ("d1", "d2", "d3")}))
    whole = as_evidence(["x", "all", "d1"], example)
    assert [measure(whole, example.evidence, 2) for measure in (recall_at_k, hit_at_k, reciprocal_rank)] == [1.0, 1.0, 0.5]
    assert r_precision(whole, example.evidence, 3) == 1.0
    assert ndcg_at_k(as_evidence(["all"], example), example.evidence, 1) == 1.0  # three gains at one rank, capped
    assert average_precision(as_evidence(["all"], example), example.evidence, 1) == 1.0
    assert average_precision(whole, example.evidence, 2) == pytest.approx((1 / 2 + 1 + 1) / 3)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert ndcg_at_k(as_evidence(["x", "x", "pair"], example), example.evidence, 3) == pytest.approx((1 / 2 + 1 / 2) / ideal)


@pytest.mark.parametrize("ids", [["pair", "d1"], ["pair", "x", "d3"], ["d1", "pair", "d3"], ["d1", "d3"], ["all"], ["x"]])
def test_all_is_found_exactly_where_the_documents_hold_it(ids: list[str]) -> None:
    example = Example("q", "?", ("a",), ("d1", "d2", "d3"), grading=Grading(same_as={"pair": ("d1", "d2"), "all": ("d1", "d2", "d3")}))
    for k in range(1, len(ids) + 1):
        assert (recall_at_k(as_evidence(ids, example), example.evidence, k) == 1.0) == example.held(ids[:k])


def configured() -> dict[str, Metric]:
    plain = yaml.safe_load((conf_dir() / "metrics" / "retrieval.yaml").read_text(encoding="utf-8"))["retrieval"]
    return {name: metric(target) for name, target in plain.items()}


def scored(retrieval: dict[str, Metric], found: list[str], example: Example, depths: list[int], depth: int = 12) -> dict[str, float]:
    said = Prediction(example.id, "", tuple(found), (0.0,) * len(found), (), 0, "", 1, 1, {}, "answered", "stop")
    documents = {id: Document(id, id) for id in (*found, *example.evidence)}
    scores = Scorer({}, retrieval, depths, depth, "retrieved", documents).score(said, example).scores
    return {name: score for name, score in scores.items() if name.startswith("retrieval/")}


@pytest.mark.parametrize("seed", [0, 1])
def test_graded_questions_are_scored_by_the_configured_metrics_as_by_ir_measures(seed: int) -> None:
    lists, gold = random_lists(seed)
    rng = random.Random(seed)
    grades = {q: {id: rng.randint(1, 4) for id in evidence} for q, evidence in gold.items()}
    run = {q: {id: -float(rank) for rank, id in enumerate(found)} for q, found in lists.items()}
    judged = {q: own | {"not relevant": 0} for q, own in grades.items()}
    examples = {q: Example(q, "?", ("a",), tuple(own), grading=Grading(grades=own)) for q, own in grades.items()}
    ours = {q: scored(configured(), lists[q], examples[q], [3, 10]) for q in lists}
    measures = {nDCG @ 10: "ndcg_10", RR @ 10: "mrr_10", R @ 3: "recall_3", AP @ 10: "ap_10", Success @ 10: "hit_10", Rprec: "r_precision"}
    for measure, name in measures.items():
        values = {one.query_id: one.value for one in ir_measures.iter_calc([measure], judged, run)}
        assert {q: scores[f"retrieval/{name}"] for q, scores in ours.items()} == pytest.approx(values), name


def test_a_metric_is_tracked_under_its_name_in_the_configuration_at_the_depths_that_it_declares() -> None:
    example = Example("q", "?", ("a",), ("d1",))
    found = scored({"found": Metric.of(recall_at_k), "first": Metric.of(reciprocal_rank)}, ["d2", "d1"], example, [1, 5, 50])
    assert found == {"retrieval/found_1": 0.0, "retrieval/found_5": 1.0, "retrieval/first_5": 0.5}  # 50 were not searched for


def test_characters_are_judged_where_a_question_knows_its_own() -> None:
    asked = Example("q", "?", ("a",), ("d1",))
    names = {name.rpartition("_")[0] for name in scored(configured(), ["d1"], asked, [1])}
    assert names == {"retrieval/hit", "retrieval/recall", "retrieval/mrr", "retrieval/ndcg", "retrieval/ap", "retrieval/r"}
    spanned = Example("q", "?", ("a",), ("d1",), grading=Grading(spans=(Span("d1", 0, 2),)))
    assert scored(configured(), ["d1"], spanned, [1])["retrieval/span_recall_1"] == 0.0  # the document does not say where it stands
