"""The primary score by group of questions: what a question says of itself, and what it shares with the training questions."""

from __future__ import annotations

from typing import Any

from rag_eval.score.aggregate import estimates
from rag_eval.score.answer import em
from rag_eval.score.metric import Metric
from rag_eval.score.older_names import OLDER_NAMES
from rag_eval.score.primary import EM
from rag_eval.score.scorer import Scorer
from rag_eval.score.scoring import Scoring
from rag_eval.types import Estimate, Example, Prediction, QuestionScores
from tests.claims import every


def scored(shares: dict[str, str], **meta: Any) -> list[QuestionScores]:
    """Four questions, of which the first is answered right."""
    scorer = Scorer({"em": Metric.of(em)}, {}, [], 0, "none", overlap=shares)
    examples = [Example(f"q{at}", "?", ("x",), cluster=f"c{at}", meta=meta) for at in range(4)]
    said = [Prediction(one.id, "y" if at else "x", (), (), (), 0, "", 1, 1, {}, "answered", "stop") for at, one in enumerate(examples)]
    return scorer.score_all(said, examples)


def estimated(made: list[QuestionScores]) -> dict[str, Estimate]:
    return estimates(made, Scoring(OLDER_NAMES, EM))


def test_each_stratum_of_overlap_has_its_mean_and_its_n() -> None:
    found = estimated(scored({"q0": "question", "q1": "question", "q2": "none", "q3": "none"}))
    question, none = found["strata/overlap/question"], found["strata/overlap/none"]
    assert ((question.mean, question.n), (none.mean, none.n)) == ((0.5, 2), (0.0, 2))
    assert question.low < 0.5 < question.high


def test_a_question_is_in_no_stratum_where_nothing_is_trained_on_whatever_it_says_of_itself() -> None:
    assert every("overlap" not in one.strata for one in scored({}, overlap="question"))
    assert not [name for name in estimated(scored({}, overlap="question")) if name.startswith("strata/")]
