"""Scoring of predictions per question."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rag_eval.score.answer import containment
from rag_eval.score.error_attribution import Attribution, attribute, wanted
from rag_eval.score.metric import Declaration, Metric, tracked
from rag_eval.score.outcome import OUTCOME_MEASURES, outcome_row
from rag_eval.score.primary import EM
from rag_eval.score.retrieval import as_evidence
from rag_eval.score.scoring import Scoring
from rag_eval.text.spans import span_of
from rag_eval.types import Document, Example, Prediction, QuestionScores

Scores = dict[str, float]  # by tracked name; nan = not judged

RANKED = ("retrieved", "random", "recorded")  # contexts whose order is a ranking
OF_META = ("kind", "change", "bucket", "seen")  # keys of a question's meta that define strata of the primary score
STRATA = (*OF_META, "overlap")  # all strata; overlap = what a question shares with the training questions
DISTRACTED, STALE, MISLED = "answer/distracted", "answer/stale", "answer/misled"
HOLDS_EVIDENCE, WAS_GIVEN_EVIDENCE = "prompt/holds_evidence", "prompt/was_given_evidence"
HOLDS_ANSWER_WORDS = "prompt/holds_answer_words"

# Scores of error attribution and of prompts, by tracked name.
_MEASURES = tracked(
    Declaration("answer", "distracted", "distracted answers", better="lower"),
    Declaration("answer", "stale", "outdated answers", better="lower"),
    Declaration("answer", "misled", "misled answers", better="lower"),
    Declaration("prompt", "holds_evidence", "evidence in the prompt", judges="evidence"),
    Declaration("prompt", "was_given_evidence", "evidence before truncation", judges="evidence"),
    Declaration("prompt", "holds_answer_words", "answer words in the prompt"),
)

# In place of these where no answer is scored, as in mode=retrieval, so that there is no prompt.
_WITHOUT_PROMPT = {
    HOLDS_EVIDENCE: "all evidence in the first retriever.k",
    HOLDS_ANSWER_WORDS: "answer words in the first retriever.k",
}


@dataclass(frozen=True)
class Scorer:
    """Computes all scores of a question: metrics of answers and rankings, outcome, and error attribution."""

    answer: Mapping[str, Metric]
    retrieval: Mapping[str, Metric]
    retrieval_k: Sequence[int]
    depth: int  # search depth; metrics at a larger k are not computed
    context: str
    documents: Mapping[str, Document] = field(default_factory=dict)  # the corpus, by id
    passages: Mapping[str, Document] = field(default_factory=dict)  # recorded passages outside the corpus, by id
    overlap: Mapping[str, str] = field(default_factory=dict)  # overlap with the training questions, by question; {} = no training
    primary: str = EM  # tracked name of the primary score

    @cached_property
    def _texts(self) -> Mapping[str, Document]:
        return {**self.passages, **self.documents}

    def score_all(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> list[QuestionScores]:
        """Scores of each question, in order."""
        return [self.score(prediction, example) for prediction, example in zip(predictions, examples, strict=True)]

    def score(self, prediction: Prediction, example: Example) -> QuestionScores:
        """All scores of one question."""
        strata = {key: example.meta[key] for key in OF_META if key in example.meta}
        strata |= {"overlap": self.overlap[example.id]} if example.id in self.overlap else {}
        scores: Scores = {}
        for name, metric in self.answer.items():
            those = [one for one in metric.declarations if one.says_of(example)]
            scores |= {one.tracked(name): metric.function(prediction, example) for one in those}
        right = scores.get(self.primary, math.nan)
        why = self._why_wrong(prediction, example) if right < 1 else None
        is_shown = why is not None and self._shows_passages(prediction)
        return QuestionScores(
            example_id=example.id,
            cluster=example.cluster or example.id,
            is_answerable=example.is_answerable,
            strata=strata,
            scores={
                **scores,
                **self._outcome(prediction, example, right, why),
                **self._ranking(prediction, example),
                **self._context(prediction, example),
            },
            cause=(why.cause if self._is_judged(prediction, example) else "not_known") if why is not None and is_shown else None,
            distracted_by=why.distracted_by if why is not None and is_shown else None,
        )

    def _why_wrong(self, prediction: Prediction, example: Example) -> Attribution:
        is_lenient = self.scoring.of(self.primary).asks == "content"
        return attribute(prediction, example, self.documents.keys(), self._texts, is_lenient)

    def _shows_passages(self, prediction: Prediction) -> bool:
        return self.context != "none" and prediction.is_context_known

    def _outcome(self, prediction: Prediction, example: Example, right: float, why: Attribution | None) -> Scores:
        """Outcome scores, and whether a wrong answer repeats a distractor, a stale or a misleading answer."""
        if math.isnan(right):
            return {}
        scores: Scores = outcome_row(prediction, example, right)
        if self._shows_passages(prediction):
            scores[DISTRACTED] = float(why is not None and why.distracted_by is not None)
        if example.grading.stale_answers:
            scores[STALE] = float(why is not None and why.is_stale)
        if example.grading.misleading_answers:
            scores[MISLED] = float(why is not None and why.is_misled)
        return scores

    def _ranking(self, prediction: Prediction, example: Example) -> Scores:
        if self.context not in RANKED or self.depth < 1 or not self._is_judged(prediction, example):
            return {}
        retrieved = [id for id in prediction.retrieved if id not in example.grading.itself]
        evidence = {id: example.grading.grades.get(id, 1.0) for id in example.evidence} if example.is_answerable else {}
        spans = example.grading.spans
        sought: dict[str, tuple[Sequence[Any], Any]] = {"evidence": (as_evidence(retrieved, example), evidence)}
        if spans:
            sought["spans"] = ([span_of(self.documents[id].meta) if id in self.documents else None for id in retrieved], spans)
        return {
            name: metric.function(*sought[declaration.judges], declaration.k)
            for name, (declaration, metric) in self._rankings.items()
            if declaration.judges in sought
        }

    @cached_property
    def _rankings(self) -> Mapping[str, tuple[Declaration, Metric]]:
        """Ranking metrics at each of their depths, by tracked name."""
        depths = [k for k in self.retrieval_k if k <= self.depth] if self.depth else list(self.retrieval_k)
        of_kind = {"each": depths, "deepest": [max(depths, default=self.depth)], "searched": [self.depth]}
        declared = [(name, one, metric) for name, metric in self.retrieval.items() for one in metric.declarations]
        return {
            declaration.at(k).tracked(name): (declaration.at(k), metric)
            for kind, those in of_kind.items()
            for k in those
            for name, declaration, metric in declared
            if declaration.depths == kind
        }

    @cached_property
    def scoring(self) -> Scoring:
        """Declarations of all scores."""
        answer = {one.tracked(name): one for name, metric in self.answer.items() for one in metric.declarations}
        rankings = {name: declaration for name, (declaration, _) in self._rankings.items()}
        measures = {**OUTCOME_MEASURES, **_MEASURES}
        if not self.answer:
            measures |= {name: replace(measures[name], label=label) for name, label in _WITHOUT_PROMPT.items()}
        return Scoring({**answer, **measures, **rankings}, self.primary)

    def _context(self, prediction: Prediction, example: Example) -> Scores:
        """Whether the prompt contained the evidence (by ids) and the answer (by words, which needs no gold ids)."""
        if not example.is_answerable or not self._shows_passages(prediction):
            return {}
        held = [self._texts[id].text for id in prediction.in_prompt if id in self._texts]
        scores: Scores = {}
        is_judged = bool(example.evidence) and self._is_judged(prediction, example)
        for name, ids in ((HOLDS_EVIDENCE, prediction.in_prompt), (WAS_GIVEN_EVIDENCE, wanted(prediction))):
            if self.answer or name == HOLDS_EVIDENCE:  # without a prompt nothing is left out of it
                scores[name] = float(example.held(ids)) if is_judged else math.nan
        if example.answers and len(held) == len(prediction.in_prompt):
            scores[HOLDS_ANSWER_WORDS] = max((containment(text, example.answers) for text in held), default=0.0)
        return scores

    def _is_judged(self, prediction: Prediction, example: Example) -> bool:
        """Whether the relevance of the context is known: a recorded passage that is no document may contain evidence."""
        known = prediction.is_context_known and all(id in self.documents or id in example.evidence for id in prediction.retrieved)
        return known or example.held(prediction.in_prompt)
