"""Questions by arms: what each arm answered to each question, the questions on which the arms differ most first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rag_eval.record.load import RecordedRun
from rag_eval.record.run_record import RunRecord
from rag_eval.record.texts import Texts
from rag_eval.report.form import right_by
from rag_eval.report.html.difference import Difference, difference
from rag_eval.score.scorer import HOLDS_EVIDENCE
from rag_eval.score.scoring import Scoring, scoring_of
from rag_eval.types import Document, Example, Prediction, Prompt, QuestionScores

MOST_QUESTIONS = 2_000
MOST_SCORES = 3  # of an answer, those that tell most
MOST_ARMS = 6
MODES = ("closed_book", "finetune", "rag", "rag_finetune", "raft", "oracle")  # those shown first, in this order
QUESTION, PASSAGE = "⟨the question⟩", "⟨passage {rank}⟩"

Mark = Literal["right", "wrong", "in part", "not judged", "not asked"]
JUDGED: tuple[Mark, ...] = ("right", "wrong", "in part")
Filter = Literal["retrieval-right", "tuned-right", "both-wrong", "evidence-missed"]
FILTERS: Mapping[Filter, str] = {
    "retrieval-right": "retrieval right, fine-tuned wrong",
    "tuned-right": "fine-tuned right, retrieval wrong",
    "both-wrong": "both wrong",
    "evidence-missed": "evidence missed",
}


@dataclass(frozen=True)
class Block:
    """Runs of several arms that were asked the same questions."""

    name: str  # in front of the ids of questions; "" = there is one block
    runs: Mapping[str, RecordedRun]  # by arm
    texts: Mapping[str, Texts] = field(default_factory=dict)  # by arm


@dataclass(frozen=True)
class Passage:
    """A passage, once for all questions and arms that refer to it."""

    number: int
    id: str  # of the document
    title: str
    text: str | None  # None = not known


@dataclass(frozen=True)
class Frame:
    """A prompt without what differs from question to question."""

    number: int
    text: str


@dataclass(frozen=True)
class Answer:
    """What an arm answered."""

    arm: str
    mark: Mark
    difference: Difference
    scores: tuple[float, ...]  # in the order of the matrix; nan = could not be judged
    in_prompt: tuple[int, ...]  # numbers of the question's passages, in the order of the prompt
    is_context_known: bool
    holds_evidence: bool | None  # None = it was not judged
    seconds: float | None  # wall time; None = not measured
    n_prompt_tokens: int | None
    n_output_tokens: int | None
    outcome: str
    frame: int | None  # number of the prompt's; None = the prompt could not be written again


@dataclass(frozen=True)
class Question:
    """A question with what every arm answered."""

    number: int
    id: str
    text: str | None  # None = not known
    gold: tuple[str, ...]
    is_answerable: bool
    passages: tuple[Passage, ...]  # of all prompts, then evidence that stood in none
    gold_passages: frozenset[int]  # numbers of those that hold the answer
    answers: tuple[Answer, ...]
    filters: frozenset[Filter]

    @property
    def disagreement(self) -> float:
        """The variance of being right among the arms that were judged: most where half of them are."""
        right = [one.mark == "right" for one in self.answers if one.mark in JUDGED]
        share = sum(right) / len(right) if right else 0.0
        return share * (1 - share)


@dataclass(frozen=True)
class Matrix:
    """The questions, most disagreement first."""

    arms: tuple[str, ...]
    retrieval: str | None  # the arm that filters call so: base weights with what a search found; None = there is none
    tuned: str | None  # trained weights without passages
    right_by: str  # the name of the score by which an answer is right
    scores: tuple[str, ...]  # names of the scores of an answer
    questions: tuple[Question, ...]
    n_asked: int  # questions, of which these are at most MOST_QUESTIONS
    passages: tuple[Passage, ...]
    frames: tuple[Frame, ...]
    lacking: tuple[str, ...]  # texts that are not shown, and why

    def n_of(self, one: Filter) -> int:
        """How many of the questions a filter keeps."""
        return sum(one in question.filters for question in self.questions)


def comparable(runs: Mapping[str, RecordedRun]) -> dict[str, RecordedRun]:
    """The arms that were asked the same questions and may stand side by side, one a mode, those of MODES first.

    Args:
        runs: by arm; of several arms of one mode the first counts.

    Returns:
        At most MOST_ARMS; a group with a searching and a trained arm is preferred to a larger one.
    """
    groups: dict[tuple[str | None, str], dict[str, str]] = {}  # the arm of each mode
    for arm, run in runs.items():
        compared = run.record.facts.comparison
        groups.setdefault((compared.questions, compared.primary), {}).setdefault(run.record.mode, arm)
    if not groups:
        return {}
    best = max(groups.values(), key=lambda those: (_n_roles([runs[arm].record for arm in those.values()]), len(those)))
    ordered = sorted(best, key=lambda mode: MODES.index(mode) if mode in MODES else len(MODES))
    return {best[mode]: runs[best[mode]] for mode in ordered[:MOST_ARMS]}


def matrix(blocks: Sequence[Block], most: int = MOST_QUESTIONS) -> Matrix:
    """All questions of some blocks with what every arm answered.

    Args:
        blocks: each with the same arms.
        most: questions kept, those with most disagreement.

    Returns:
        The matrix; of questions that are equally disputed those come first of which the searching and the trained arm differ, then
        those that were asked first.
    """
    records = [run.record for block in blocks for run in block.runs.values()]
    if not records:
        return Matrix((), None, None, "", (), (), 0, (), (), ())
    scoring = scoring_of(*records)
    by = right_by(records, scoring.primary)
    arms = tuple(dict.fromkeys(arm for block in blocks for arm in block.runs))
    firsts = {arm: next(block.runs[arm].record for block in blocks if arm in block.runs) for arm in arms}
    shown = _scores(records, scoring, by)
    reader = _Reader(_first(firsts, _searches), _first(firsts, _is_tuned), by, scoring, shown)
    found = [reader.question(block, id) for block in blocks for id in _asked(block)]
    found.sort(key=lambda one: (-one.disagreement, not one.filters & {"retrieval-right", "tuned-right"}))
    kept = tuple(replace(one, number=number) for number, one in enumerate(found[:most], start=1))
    used = {passage.number for one in kept for passage in one.passages}
    frames = {answer.frame for one in kept for answer in one.answers}
    return Matrix(
        arms,
        reader.retrieval,
        reader.tuned,
        scoring.label(by),
        tuple(scoring.label(name) for name in shown),
        kept,
        len(found),
        tuple(one for one in reader.numbered.values() if one.number in used),
        tuple(one for one in reader.frames.values() if one.number in frames),
        tuple(dict.fromkeys(f"{arm}: {texts.lacking}" for block in blocks for arm, texts in block.texts.items() if texts.lacking)),
    )


@dataclass(frozen=True)
class _Reader:
    """What is the same for all questions, and their passages and prompts, each once."""

    retrieval: str | None
    tuned: str | None
    by: str  # the score by which an answer is right
    scoring: Scoring
    shown: tuple[str, ...]  # scores
    passages: dict[tuple[str, str, str | None], Passage] = field(default_factory=dict)
    numbered: dict[int, Passage] = field(default_factory=dict)  # the same
    frames: dict[str, Frame] = field(default_factory=dict)

    def question(self, block: Block, id: str) -> Question:
        """A question of a block."""
        runs = {arm: run for arm, run in block.runs.items() if id in run.questions}
        texts = [block.texts.get(arm, Texts()) for arm in runs]
        example = next((one.examples[id] for one in texts if id in one.examples), None)
        answers = tuple(self._answer(arm, run, id, example, own) for (arm, run), own in zip(runs.items(), texts, strict=True))
        evidence = [] if example is None else [self._evidence(name, texts) for name in example.evidence]
        in_prompts = (number for one in answers for number in one.in_prompt)
        numbers = dict.fromkeys([*in_prompts, *(one.number for one in evidence)])
        passages = tuple(self.numbered[number] for number in numbers)
        holders = frozenset() if example is None else example.holders
        return Question(
            number=0,
            id=f"{block.name}/{id}" if block.name else id,
            text=None if example is None else example.question,
            gold=() if example is None else example.answers,
            is_answerable=next(iter(runs.values())).questions[id].is_answerable,
            passages=passages,
            gold_passages=frozenset(one.number for one in passages if one.id in holders),
            answers=answers,
            filters=self._filters({one.arm: one for one in answers}),
        )

    def _answer(self, arm: str, run: RecordedRun, id: str, example: Example | None, texts: Texts) -> Answer:
        said, scored, prompt = run.predictions[id], run.questions[id], texts.prompts.get(id)
        is_held = scored.score(HOLDS_EVIDENCE)
        return Answer(
            arm=arm,
            mark=self._mark(scored, said),
            difference=difference(said.text, () if example is None else example.answers),
            scores=tuple(scored.score(name) for name in self.shown),
            in_prompt=tuple(self._passage(name, texts.documents.get(name)).number for name in said.in_prompt),
            is_context_known=said.is_context_known,
            holds_evidence=None if math.isnan(is_held) else is_held >= 1,
            seconds=sum(said.seconds.values()) if said.seconds else None,
            n_prompt_tokens=said.n_prompt_tokens,
            n_output_tokens=said.n_output_tokens,
            outcome=said.outcome,
            frame=None if prompt is None or example is None else self._frame(_frame(prompt, example, said, texts)),
        )

    def _mark(self, one: QuestionScores, said: Prediction) -> Mark:
        if said.outcome in ("error", "unasked"):
            return "not asked"
        value = one.score(self.by if one.is_answerable else self.scoring.of_unanswerable)
        if math.isnan(value):
            return "not judged"
        return "right" if value >= 1 else "wrong" if value <= 0 else "in part"

    def _filters(self, answers: Mapping[str, Answer]) -> frozenset[Filter]:
        searched, tuned = (answers.get(arm) if arm is not None else None for arm in (self.retrieval, self.tuned))
        found: set[Filter] = {"evidence-missed"} if searched is not None and searched.holds_evidence is False else set()
        if searched is not None and tuned is not None and searched.mark in JUDGED and tuned.mark in JUDGED:
            match searched.mark == "right", tuned.mark == "right":
                case True, False:
                    found.add("retrieval-right")
                case False, True:
                    found.add("tuned-right")
                case False, False:
                    found.add("both-wrong")
        return frozenset(found)

    def _evidence(self, id: str, texts: Sequence[Texts]) -> Passage:
        return self._passage(id, next((one.documents[id] for one in texts if id in one.documents), None))

    def _passage(self, id: str, document: Document | None) -> Passage:
        title, text = ("", None) if document is None else (document.title, document.text)
        found = self.passages.setdefault((id, title, text), Passage(len(self.passages) + 1, id, title, text))
        self.numbered[found.number] = found
        return found

    def _frame(self, text: str) -> int:
        return self.frames.setdefault(text, Frame(len(self.frames) + 1, text)).number


def _asked(block: Block) -> list[str]:
    return list(dict.fromkeys(id for run in block.runs.values() for id in run.questions))


def _frame(prompt: Prompt, example: Example, said: Prediction, texts: Texts) -> str:
    """The prompt with names in place of its question and its passages."""
    whole = prompt.text if prompt.style == "plain" else "\n\n".join(f"[{role}]\n{content}" for role, content in prompt.messages)
    before, found, after = whole.rpartition(example.question)
    for rank, id in reversed(list(enumerate(said.in_prompt, start=1))):  # what exemplars show stands before it
        document = texts.documents[id]
        for part in (f"{document.title}: {document.text}", document.text):
            start = before.rfind(part) if part else -1
            if start >= 0:
                before = before[:start] + PASSAGE.format(rank=rank) + before[start + len(part) :]
                break
    return before + (QUESTION if found else "") + after


def _scores(records: Sequence[RunRecord], scoring: Scoring, by: str) -> tuple[str, ...]:
    names = dict.fromkeys([by, *scoring.asking("form", "words", "content")])
    return tuple(name for name in names if any(name in record.estimates for record in records))[:MOST_SCORES]


def _searches(record: RunRecord) -> bool:
    provenance = record.facts.provenance
    return provenance.context == "retrieved" and not provenance.is_trained


def _is_tuned(record: RunRecord) -> bool:
    provenance = record.facts.provenance
    return provenance.context == "none" and provenance.is_trained


def _first(records: Mapping[str, RunRecord], is_one: Callable[[RunRecord], bool]) -> str | None:
    return next((arm for arm, record in records.items() if is_one(record)), None)


def _n_roles(records: Sequence[RunRecord]) -> int:
    return any(map(_searches, records)) + any(map(_is_tuned, records))
