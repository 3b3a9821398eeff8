"""Training questions and restatements from documents: written by a model, then filtered, every loss counted.

A question is dropped when it is malformed, asked before, a test question or nearly one or holds one, or when its passage does not
answer it: the answer neither stands there nor is what the model says when it reads the passage.
"""

from __future__ import annotations

import logging
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rag_eval.augment.paraphrase import restatements
from rag_eval.augment.parse import QuestionAnswer, read_pairs
from rag_eval.augment.prompts import questions_prompt
from rag_eval.augment.teacher import Reply, Teacher
from rag_eval.data.chunking.evidence_mapping import origin
from rag_eval.protocols import PromptWriter
from rag_eval.score.answer import containment
from rag_eval.text.near_duplicates import alike
from rag_eval.text.normalize import exact_match, normalize
from rag_eval.text.quotation import quotations
from rag_eval.types import Document, Example

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counts:
    """How many of what. Every pair is a duplicate, a leak, unanswerable or a lesson, and nothing else."""

    n_documents: int
    n_passages: int  # that the model was asked about: documents, or their chunks
    n_too_long: int  # passages that the model could not read
    n_failed: int  # requests without a reply
    n_malformed: int  # parts of replies that are no question with an answer
    n_pairs: int
    n_duplicates: int  # asked before: in the same words of any document, in nearly the same of this one
    n_leaks: int  # the same as a test or dev question, or nearly, or with one in it
    n_unanswerable: int
    n_confirmed: int  # of the lessons: the answer does not stand in the passage, but the model that reads it says it
    n_lessons: int
    n_poor_restatements: int  # empty, cut, without most names and numbers, or nearly the passage or another restatement
    n_leaking_restatements: int  # of the others: with a test or dev question in them
    n_restatements: int


@dataclass(frozen=True)
class AugmentedData:
    """What there is to learn from."""

    questions: tuple[Example, ...]
    restated: Mapping[str, tuple[str, ...]]  # document id -> its text in other words; documents without any are left out
    counts: Counts


@dataclass(frozen=True)
class Pair:
    """A question with its answer, and the passage that it was made of."""

    said: QuestionAnswer
    passage: Document


def augment(
    teacher: Teacher, prompt: PromptWriter, documents: Sequence[Document], asked: Sequence[Example], n_questions: int, n_restated: int
) -> AugmentedData:
    """Let a model write training questions and restatements of passages, and filter them.

    Args:
        teacher: the writing model.
        prompt: prompt in which the answers are checked.
        documents: documents with text; whole, or chunks that name their document.
        asked: test and dev questions, which no lesson may repeat.
        n_questions: number of questions requested for each passage; replies may contain more or fewer.
        n_restated: number of restatements for each passage, at most one for each style of prompts.py.

    Returns:
        Questions and restatements, with the number lost at each step.
    """
    fits = teacher.fits([questions_prompt(one, n_questions) for one in documents])
    readable = [one for one, fit in zip(documents, fits, strict=True) if fit]
    if len(readable) < len(documents):
        log.warning(
            "%d of %d passages are too long for the model and left out; chunker=sentences cuts",
            len(documents) - len(readable),
            len(documents),
        )
    examined = readable if n_questions else []
    replies = teacher.ask("writing questions", [questions_prompt(one, n_questions) for one in examined])
    written = [(passage, read_pairs(one.text)) for passage, one in zip(examined, replies, strict=True) if one.stop_reason != "error"]
    pairs = [Pair(said, passage) for passage, (found, _) in written for said in found]
    distinct = _distinct(pairs)
    clean = _unleaked(distinct, asked)
    kept, n_confirmed, checks = _answerable(clean, teacher, prompt)
    restated = restatements(readable, teacher, n_restated, _quotable(asked))
    questions = _examples(kept)
    counts = Counts(
        n_documents=len({origin(one).source for one in documents}),
        n_passages=len(readable),
        n_too_long=len(documents) - len(readable),
        n_failed=sum(one.stop_reason == "error" for one in (*replies, *checks, *restated.replies)),
        n_malformed=sum(n for _, (_, n) in written),
        n_pairs=len(pairs),
        n_duplicates=len(pairs) - len(distinct),
        n_leaks=len(distinct) - len(clean),
        n_unanswerable=len(clean) - len(kept),
        n_confirmed=n_confirmed,
        n_lessons=len(questions),
        n_poor_restatements=restated.n_poor,
        n_leaking_restatements=restated.n_leaking,
        n_restatements=sum(map(len, restated.texts.values())),
    )
    return AugmentedData(questions, restated.texts, counts)


def _distinct(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs whose question was not asked before. Nearly the same words about two documents are two questions.

    Of several alike, the first one whose answer stands in its passage is kept, else the first one.
    """
    return [pairs[at] for at in sorted(_firsts(pairs))]


def _firsts(pairs: Sequence[Pair]) -> Iterator[int]:
    everywhere: set[str] = set()
    of_document: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for at in sorted(range(len(pairs)), key=lambda at: not _stands(pairs[at].said.answer, pairs[at].passage.text)):
        pair = pairs[at]
        question, known = normalize(pair.said.question), of_document[origin(pair.passage).source]
        if question in everywhere or (known and any(alike({"": question}, known))):
            continue
        everywhere.add(question)
        known[str(len(known))] = question
        yield at


def _unleaked(pairs: Sequence[Pair], asked: Sequence[Example]) -> list[Pair]:
    texts = {str(at): normalize(pair.said.question) for at, pair in enumerate(pairs)}
    same, near = alike(texts, {one.id: normalize(one.question) for one in asked})
    whole = {str(at): f"{pair.said.question} {pair.said.answer}" for at, pair in enumerate(pairs)}
    leaks = {*same, *near, *(at for at, _ in quotations(whole, _quotable(asked)))}
    return [pair for at, pair in enumerate(pairs) if str(at) not in leaks]


def _quotable(asked: Sequence[Example]) -> dict[str, str]:
    """The questions that ask something by themselves, without what was said before."""
    return {one.id: one.question for one in asked if not one.history}


def _answerable(pairs: Sequence[Pair], teacher: Teacher, prompt: PromptWriter) -> tuple[list[Pair], int, list[Reply]]:
    """Those that their passage answers, how many of them the model had to be asked about, and what it said."""
    stands = [_stands(one.said.answer, one.passage.text) for one in pairs]
    doubtful = [at for at, is_there in enumerate(stands) if not is_there]
    prompts = [prompt.render(Example(pairs[at].passage.id, pairs[at].said.question, ()), [pairs[at].passage]) for at in doubtful]
    fits = teacher.fits(prompts)
    asked = [at for at, fit in zip(doubtful, fits, strict=True) if fit]
    replies = teacher.ask("checking answers", [one for one, fit in zip(prompts, fits, strict=True) if fit])
    confirmed = {at for at, reply in zip(asked, replies, strict=True) if exact_match(_first_line(reply.text), [pairs[at].said.answer])}
    return [one for at, one in enumerate(pairs) if stands[at] or at in confirmed], len(confirmed), replies


def _stands(answer: str, text: str) -> bool:
    """Whether a text holds an answer: its words in a row, or its letters in a script that need not part words by spaces."""
    is_unparted = any(unicodedata.category(letter) == "Lo" for letter in answer)
    return normalize(answer) in normalize(text) if is_unparted else containment(text, [answer]) == 1.0


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _examples(pairs: Sequence[Pair]) -> tuple[Example, ...]:
    found = []
    n_of: defaultdict[str, int] = defaultdict(int)
    for pair in pairs:
        document = origin(pair.passage).source
        n_of[document] += 1
        id = f"{document}#lesson-{n_of[document]}"
        found.append(Example(id, pair.said.question, (pair.said.answer,), (document,), document))
    return tuple(found)
