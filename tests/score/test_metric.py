"""What a metric declares is all that anybody knows of it: its names, what it judges, where its values and their intervals end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from rag_eval.record.facts_json import read_facts, to_json
from rag_eval.record.run_record import RunResult
from rag_eval.score.aggregate import estimates
from rag_eval.score.answer import abstained, contains, em
from rag_eval.score.choice import choice_text
from rag_eval.score.metric import Declaration, Metric, declares, metric
from rag_eval.score.older_names import older_declarations
from rag_eval.score.primary import CONTAINS, EM, F1
from rag_eval.score.scorer import Scorer
from rag_eval.score.scoring import Scoring, scoring_of
from rag_eval.testing.finished_runs import facts
from rag_eval.types import Estimate, Example, Prediction
from tests.claims import none_of


def said(text: str, outcome: Any = "answered") -> Prediction:
    return Prediction("q", text, (), (), (), 0, "", 1, 1, {}, outcome, "stop")


def scored(answer: dict[str, Metric], example: Example, prediction: Prediction) -> Mapping[str, float]:
    return Scorer(answer, {}, [], 0, "none").score(prediction, example).scores


def result(metrics: dict[str, Declaration] | None, primary: str = EM, **means: float) -> RunResult:
    plain = to_json(facts("rag", 9, comparison={"primary": primary}))
    del plain["metrics"]
    plain |= {} if metrics is None else {"metrics": {name: asdict(one) for name, one in metrics.items()}}
    estimated = {name: Estimate(mean, 0.0, 1.0, 9, 9) for name, mean in means.items()}
    return RunResult("", "", "FINISHED", estimated, read_facts(plain, means), {}, cached=False)


def test_a_function_that_declares_nothing_is_a_share_of_right_answers() -> None:
    found = Metric.of(lambda prediction, example: 1.0)
    (declared,) = found.declarations
    assert (declared.better, declared.bounds, declared.judges, declared.is_share) == ("higher", (0.0, 1.0), "answerable", True)
    assert (found.tells_right, found.gold_scores_1) == (False, True)


def test_a_function_stays_a_function_and_its_dotted_name_gives_what_it_declares() -> None:
    @declares(Declaration(better="lower", high=None))
    def longest(prediction: Prediction, example: Example) -> float:
        """Doc."""
        return 7.0

    assert (longest(said(""), Example("q", "?", ())), longest.__doc__) == (7.0, "Doc.")
    assert Metric.of(longest).declarations[0].better == "lower"
    assert metric("rag_eval.score.answer.em") == Metric.of(em)
    assert metric("rag_eval.score.answer.em").tells_right


def test_who_says_other_things_of_other_questions_is_tracked_under_two_names() -> None:
    both = {"abstained": Metric.of(abstained), "em": Metric.of(em)}
    assert scored(both, Example("q", "?", ()), said("unknown", "abstained")) == {"abstain/unanswerable": 1.0}
    assert scored({"abstained": Metric.of(abstained)}, Example("q", "?", ("x",)), said("x")) == {"abstain/answerable": 0.0}


def test_what_judges_a_ranking_declares_by_which_evidence_and_at_which_depths() -> None:
    assert metric("rag_eval.score.retrieval.ndcg_at_k").is_of_rankings
    assert metric("rag_eval.score.spans.span_hit_at_k").is_of_rankings
    assert not Metric(lambda retrieved, evidence, k: 0.0).is_of_rankings
    assert not Metric(lambda retrieved, evidence, k: 0.0, (Declaration(depths="each"),)).is_of_rankings


def test_an_estimate_ends_where_its_metric_says_and_not_at_0_and_1() -> None:
    scoring = Scoring({"length": Declaration(better="lower", high=None), "share": Declaration(), "sign": Declaration(low=-1.0)}, "share")
    clusters = ["a", "b", "c", "d"]
    found = scoring.mean("length", [1.0, 0.0, 0.0, 0.0], clusters)
    share = scoring.mean("share", [1.0, 0.0, 0.0, 0.0], clusters)
    assert found is not None
    assert share is not None
    assert (found.mean, found.low) == (0.25, 0.0)  # cut at the least value
    assert found.high == pytest.approx(0.25 + 3.18244631 * 0.25)  # Student's t with 3 degrees of freedom
    assert found.high > 1.0 > share.high
    flat = scoring.mean("length", [1.0] * 4, clusters)
    assert flat is not None
    assert [math.isnan(end) for end in (flat.low, flat.high)] == [True, True]  # no bound says how far off other questions can be
    signed = scoring.mean("sign", [1.0, 1.0, 0.0, 1.0], clusters)
    assert signed is not None
    assert signed.high == 1.0
    assert signed.low == pytest.approx(0.75 - 3.18244631 * 0.25)  # no share, so no Wilson


def test_differences_are_bounded_by_what_both_values_can_be() -> None:
    declared = (Declaration(), Declaration(low=-1.0), Declaration(high=None))
    assert [one.bounds_of_difference for one in declared] == [(-1.0, 1.0), (-2.0, 2.0), None]


def test_what_tells_right_answers_must_be_a_share_of_which_more_is_better() -> None:
    with pytest.raises(ValueError, match="what tells right answers"):
        Declaration(tells_right=True, better="lower")
    with pytest.raises(ValueError, match="what tells right answers"):
        Declaration(tells_right=True, high=None)


def test_the_strict_score_is_the_one_that_declares_to_ask_for_the_form() -> None:
    declared = {f"answer/{name}": Metric.of(one).declarations[0] for name, one in (("named", choice_text), ("holds", contains))}
    scoring = scoring_of(result(declared, "answer/holds"))
    assert (scoring.strict(), scoring.lenient) == ("answer/named", "answer/holds")
    assert Scoring({"answer/holds": declared["answer/holds"]}, "answer/holds").strict() == ""
    assert Scoring(declared, "answer/own").strict() == "answer/own"  # a primary score that is not lenient
    assert [scoring.judges_answers(name) for name in ("answer/named", "outcome/right", "retrieval/hit_1")] == [True, False, False]


def test_a_run_of_the_version_before_is_read_by_the_names_of_its_metrics() -> None:
    older = scoring_of(result(None, **{"retrieval/recall_5": 0.5, "retrieval/recall_1": 0.5}))
    assert (older.strict(), older.lenient, older.of_unanswerable) == (EM, CONTAINS, "abstain/unanswerable")
    assert older.asking("form", "words", "content") == [
        *(EM, "answer/em_extracted", "answer/choice_text"),
        *(F1, "answer/f1_extracted", "answer/recall", "answer/rouge_l", CONTAINS),
    ]
    assert [older.of(f"retrieval/recall_{k}").label for k in (1, 5)] == ["recall@1", "recall@5"]
    assert older.of("answer/reliability").bounds == (-1.0, 1.0)
    assert {name for name, one in older.declared.items() if one.better == "lower"} == {
        *("outcome/wrong", "outcome/abstained", "outcome/malformed", "abstain/answerable"),
        *("answer/distracted", "answer/stale", "answer/misled"),
    }


def test_what_this_version_scores_declares_what_the_older_names_did() -> None:
    answer = {name: metric(f"rag_eval.score.answer.{name}") for name in ("em", "f1", "contains", "em_extracted", "abstained", "recall")}
    now = Scorer(answer, {}, [], 0, "none").scoring
    before = older_declarations(())
    for name in now.declared.keys() & before.keys():
        for field in ("label", "is_column", "better", "low", "high", "asks", "tells_right", "follows_primary"):
            assert getattr(now.of(name), field) == getattr(before[name], field), (name, field)
    assert len(now.declared.keys() & before.keys()) == 15


def test_a_declaration_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    newer = facts("rag", 9, metrics={"answer/kind": {**asdict(Declaration(better="lower")), "colour": "red"}})
    assert newer.scoring.of("answer/kind").better == "lower"


def test_estimates_of_a_run_use_what_its_scorer_declares() -> None:
    scorer = Scorer({"em": Metric.of(em), "words": Metric(lambda one, _: 3.0, (Declaration(high=None),))}, {}, [], 0, "none")
    scores = scorer.score_all([said("x")] * 4, [Example(f"q{at}", "?", ("x",), cluster=f"c{at}") for at in range(4)])
    found = estimates(scores, scorer.scoring)
    assert found["answer/words"].mean == 3.0
    assert math.isnan(found["answer/words"].high)  # all are equal and nothing bounds them from above
    assert found["answer/em"].low < 1.0
    assert none_of(math.isnan(one.mean) for one in found.values())


def test_a_sweep_without_answers_optimises_the_ranking_metric_that_declares_so() -> None:
    retrieval = {name: metric(f"rag_eval.score.retrieval.{name}") for name in ("reciprocal_rank", "ndcg_at_k")}
    scoring = Scorer({}, retrieval, [1, 5], 10, "retrieved").scoring
    assert scoring.objective == (EM, "retrieval/ndcg_at_k_5")
