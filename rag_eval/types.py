"""The nouns of rag_eval: frozen values that cross a file border. Nothing here computes a result."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

Outcome = Literal["answered", "abstained", "malformed", "error", "unasked"]
StopReason = Literal["stop", "length", "none", "error"]  # error: the request for it failed
Style = Literal["chat", "plain"]  # of a prompt: as the model's chat template puts it, or as plain text
Region = tuple[int, int]  # of a text: where it starts and ends

Comparator = Literal["exact", "number", "date", "set", "yes_no_maybe", "json", "choice"]  # how an answer is compared with gold
AnswerFormat = Literal["json", "integer", "number", "number_with_unit", "date", "one_line", "list"]  # which form it must have
COMPARATOR_NAMES: tuple[Comparator, ...] = get_args(Comparator)
FORMAT_NAMES: tuple[AnswerFormat, ...] = get_args(AnswerFormat)

DISAGREEMENT = "probe/batch_disagreement"  # share of answers that change when each question is asked alone
ABSTENTION = "unknown"  # what a system says, and gold says, where no document holds the answer
Context = Literal["none", "retrieved", "gold", "gold among distractors", "random", "corpus", "recorded"]
Weights = Literal["none", "base", "trained"]
# Of a training row: a training question, a document, one in other words, something general, a question with
# passages, a question about somebody of whom no document of the corpus tells, a reading exercise made of a training question.
Source = Literal["qa", "documents", "paraphrase", "replay", "raft", "unknown", "reading"]


@dataclass(frozen=True)
class Document:
    """Retrievable text."""

    id: str
    text: str
    title: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """One earlier exchange of a conversation."""

    question: str
    answer: str


@dataclass(frozen=True)
class Span:
    """A stretch of a source text."""

    source: str  # id of the text that was cut
    start: int  # in characters, from 0
    end: int  # exclusive

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span must have 0 <= start < end but has start {self.start} and end {self.end}.")

    @property
    def n_characters(self) -> int:
        """Its length."""
        return self.end - self.start

    def n_shared(self, other: Span) -> int:
        """How many characters two spans have in common."""
        return max(0, min(self.end, other.end) - max(self.start, other.start)) if self.source == other.source else 0


@dataclass(frozen=True)
class Grading:
    """What a question demands of scoring, beside its gold answers and evidence."""

    comparator: str = "exact"  # how answers are compared, one of COMPARATOR_NAMES
    choices: tuple[str, ...] = ()  # the options of a multiple-choice question, in order; () = it is none
    format: str = ""  # the form that an answer must have, one of FORMAT_NAMES; "" = any
    stale_answers: tuple[str, ...] = ()  # what was right before
    misleading_answers: tuple[str, ...] = ()  # what some document states against the truth
    same_as: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by document, the evidence that it is as good as
    spans: tuple[Span, ...] = ()  # the evidence by characters; () = not known
    as_of: str = ""  # an ISO date that the question is about; "" = it says none
    grades: Mapping[str, float] = field(default_factory=dict)  # how relevant each evidence is, above 0; 1 for one that is not named
    itself: tuple[str, ...] = ()  # ids of the documents that are the question itself, and so are never found for it
    retrieval_only: bool = False  # only documents are known that hold the answer: it can be searched for, and answers not be judged

    def as_meta(self) -> dict[str, Any]:
        """The demands as they stand in the meta of a row; what is not demanded is absent."""
        usual = Grading()
        return {key: value for key, value in asdict(self).items() if getattr(self, key) != getattr(usual, key)}


@dataclass(frozen=True)
class Example:
    """One question with its gold answers. An unanswerable question has no answers and no evidence."""

    id: str
    question: str
    answers: tuple[str, ...]  # any of them is right; () = unanswerable
    evidence: tuple[str, ...] = ()  # ids of documents that hold the answer; () = not known or none
    cluster: str = ""  # questions of one entity or article are not independent
    history: tuple[Turn, ...] = ()  # earlier turns, oldest first
    meta: Mapping[str, Any] = field(default_factory=dict)  # what kind of question it is, and whatever else its source says of it
    grading: Grading = field(default_factory=Grading)

    @property
    def is_answerable(self) -> bool:
        """Whether some answer is right other than saying that none is known, given or not."""
        return bool(self.answers) or self.grading.retrieval_only

    @property
    def holders(self) -> frozenset[str]:
        """Ids of the documents that are evidence, or as good as some."""
        return frozenset((*self.evidence, *self.grading.same_as))

    def stands_for(self, id: str) -> tuple[str, ...]:
        """The evidence that a document is, or is as good as."""
        return (id,) if id in self.evidence else self.grading.same_as.get(id, ())

    def held(self, ids: Iterable[str]) -> bool:
        """Whether documents hold all of the evidence."""
        return set(self.evidence) <= {one for id in ids for one in self.stands_for(id)}


@dataclass(frozen=True)
class ReadingExercise:
    """A reading exercise: a question together with the passages it is to be answered from."""

    example: Example
    documents: tuple[Document, ...]  # in the order of the prompt


@dataclass(frozen=True)
class ExerciseCounts:
    """How many reading exercises are trained on, and where they come from."""

    n_brought: int = 0  # by the dataset, about documents that are not in its corpus
    n_made: int = 0  # of training questions and passages of the corpus
    n_unanswered: int = 0  # of those made, with passages that hold no answer
    n_too_long: int = 0  # made and left out, because the model has fewer positions
    why_none: str = ""  # none could be made; "" = some were, or none was wanted


@dataclass(frozen=True)
class WrittenByModel:
    """What it took to have a model write training questions and restatements."""

    id: str  # the same for runs that learned from the same ones
    spend: Spend  # in whole, whenever it was spent
    is_hosted: bool  # by a service that sells tokens, so that the seconds are of waiting


@dataclass(frozen=True)
class QADataset:
    """Documents and questions of one source."""

    name: str
    fingerprint: str  # sha256 of every row, in order
    documents: tuple[Document, ...]
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    reading: Sequence[ReadingExercise] = ()  # exercises about other documents; may be mixed into training, never asked
    restated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # document id -> its text in other words, to train on
    others: Sequence[Example] = ()  # of the same form about other entities or articles than the test; may be trained on, never asked
    written: WrittenByModel | None = None  # None = nothing of it was written by a model for this project
    counterpart: str = ""  # fingerprint shared with datasets to be compared with this one although its documents or training differ
    others_are_of_source: bool = (
        False  # documents, or a model, may know the answers of `others`; False: they are about entities of no document
    )
    primary: str = ""  # the score of answers that a run is judged by, where the user names none; "" = exact match

    @property
    def unknown(self) -> Sequence[Example]:
        """Questions about entities of no document: all of `others`, or none."""
        return () if self.others_are_of_source else self.others


@dataclass(frozen=True)
class Hit:
    """A document found for a question."""

    document: Document
    score: float  # higher is better; the unit is the retriever's
    rank: int  # 1 = best


@dataclass(frozen=True)
class SearchResult:
    """What a retriever found for one question."""

    hits: tuple[Hit, ...]  # best first
    seconds: Mapping[str, float] = field(default_factory=dict)  # by stage (embed, search), this question's share of its batch
    is_known: bool = True  # False: what was found was not recorded, which is not the same as nothing


@dataclass(frozen=True)
class Stated:
    """A fact as a passage states it."""

    subject: str
    attribute: str
    value: str
    year: int | None = None  # in which the passage says it was written; None = it does not
    source: str = ""  # who the passage says wrote it; "" = it does not
    is_doubtful: bool = False  # the source is not to be trusted


@dataclass(frozen=True)
class Prompt:
    """A prompt ready for a generator."""

    messages: tuple[tuple[str, str], ...]  # (role, content), the form that a chat template takes
    text: str  # the same as plain text, for a model without a chat template, or where `style` is plain
    stripped_sha: str  # sha256 of `text` without passages and exemplars: equal in all arms
    example_id: str = ""  # which question it asks; no model sees it
    meta: Mapping[str, Any] = field(default_factory=dict)  # of the example: what kind of question it is, never its answer
    style: Style = "chat"  # plain: given as `text` even to a model with a chat template


@dataclass(frozen=True)
class Formatted:
    """The text that a model is given for a prompt, and how it is to be read."""

    text: str
    is_templated: bool = False  # a chat template wrote it, and with it the begin token; otherwise the tokenizer adds its own
    literal: tuple[Region, ...] | None = None  # where what spells a control token is text; None = everywhere

    def followed_by(self, lead: str, answer: str) -> Formatted:
        """The same with an answer behind it, which is text, and before that what the template puts there."""
        start, end = len(self.text) + len(lead), len(self.text) + len(lead) + len(answer)
        literal = None if self.literal is None else (*self.literal, (start, end))
        return Formatted(self.text + lead + answer, self.is_templated, literal)


@dataclass(frozen=True)
class Generation:
    """What a model wrote for one prompt."""

    text: str  # the answer; a thought before it is kept apart
    n_prompt_tokens: int | None  # as given to the model, padding excluded; None = not measured
    n_output_tokens: int | None  # the stop token excluded; None = not measured
    total_s: float | None  # the question's share of its batch, by wall clock; model loading excluded; None = not measured
    stop_reason: StopReason
    first_token_s: float | None = None  # None = not measured
    is_asked: bool = True  # False: no answer was wanted
    is_whole: bool = False  # `total_s` spans the whole way from the question to the answer, searching included
    thought: str = ""  # what the model thought before it answered; "" = nothing
    n_thought_tokens: int | None = None  # of the output tokens; None = it did not think, or they were not counted


@dataclass(frozen=True)
class Likelihood:
    """How likely a model finds one option of a multiple-choice question."""

    option: str
    log_p: float  # natural log of P(option | prompt), summed over the option's tokens
    log_p_joint: float  # of P(prompt and option)


@dataclass(frozen=True)
class Prediction:
    """What a system answered to one question."""

    example_id: str
    text: str
    retrieved: tuple[str, ...]  # document ids, best first, as deep as was searched
    retrieved_scores: tuple[float, ...]
    in_prompt: tuple[str, ...]  # ids of the documents that stood in the prompt, after truncation
    n_truncated: int  # passages that did not fit and were left out
    prompt_sha: str  # of the prompt with its context slot empty
    n_prompt_tokens: int | None  # None = not measured
    n_output_tokens: int | None  # None = not measured
    seconds: Mapping[str, float]  # wall time by stage (embed, search, prompt, generate), this question's share; empty = not measured
    outcome: Outcome
    stop_reason: StopReason
    likelihoods: tuple[Likelihood, ...] = ()  # of the options, in the question's order; () = not multiple choice, or not measured
    is_context_known: bool = True  # False: what stood in the prompt was not recorded
    thought: str = ""  # what the model thought before it answered; "" = nothing
    n_thought_tokens: int | None = None  # of the output tokens; None = it did not think, or they were not counted


@dataclass(frozen=True)
class Spend:
    """What a stage used up, in physical units."""

    seconds: float | None  # wall time; None = not measured (the stage came from a cache)
    device_seconds: float | None = None  # accelerator time; None = none was used
    cpu_seconds: float | None = None  # processor time of all threads, children excluded
    peak_bytes: int | None = None  # peak resident memory of the process during the stage
    device_peak_bytes: int | None = None  # of the accelerator's memory
    stored_bytes: int | None = None  # on disk afterwards: index, adapter
    n_prompt_tokens: int | None = None  # given to the model, or trained on
    n_output_tokens: int | None = None
    device_joules: float | None = None  # of the accelerator, idle power included; None = not measured
    cpu_joules: float | None = None  # of the processor package, idle power included; None = not measured
    energy_s: float | None = None  # the time in which the joules were used, which may be longer than `seconds`
    cached: bool = False
    reused_s: float | None = None  # the part of `seconds` that an earlier run spent


@dataclass(frozen=True)
class Estimate:
    """A mean over questions with its 95 % interval."""

    mean: float
    low: float  # nan, as `high`: there is no interval, because no cluster differs and nothing bounds the values
    high: float
    n: int  # questions that could be judged
    n_clusters: int


@dataclass(frozen=True)
class QuestionScores:
    """What one question scored, and of a wrong answer why."""

    example_id: str
    cluster: str
    is_answerable: bool
    strata: Mapping[str, Any]  # what it is grouped by: kind, change, bucket, seen, as its meta says, and overlap with training questions
    scores: Mapping[str, float]  # by tracked name; nan = could not be judged, absent = the measure says nothing of such a question
    cause: str | None = None  # where the evidence of a wrong answer was lost; None = it is not wrong, or no passages were shown
    distracted_by: str | None = None  # id of the passage that holds the wrong answer

    def score(self, measure: str) -> float:
        """One score; nan where it could not be judged or was not asked for."""
        return self.scores.get(measure, math.nan)


@dataclass(frozen=True)
class Timing:
    """One request, timed under a latency protocol."""

    example_id: str
    block: int  # successive timings of one block share the state of the machine
    n_prompt_tokens: int
    n_output_tokens: int  # the end token included: it took a pass of the model too
    seconds: Mapping[str, float]  # by stage: embed, search, rerank, prompt, prefill (to the first token), decode (the rest)
    e2e_s: float  # from the scheduled arrival to the last token, waiting included
    queue_s: float = 0.0  # of which waiting


@dataclass(frozen=True)
class Cached:
    """A complete directory of the cache."""

    path: Path
    is_hit: bool  # it was there before this call
    seconds: float | None  # what building it took when it was built
    waited_s: float = 0.0  # how long this call waited for another process to build it
    also: tuple[Path, ...] = ()  # directories that belong to it
    earlier_s: float = 0.0  # of the seconds, what interrupted attempts took whose work this call went on from

    @classmethod
    def together(cls, several: Sequence[Cached | None]) -> Cached | None:
        """Several directories as one entry: what the found ones had taken to build, and how long was waited for them."""
        kept = [one for one in several if one is not None]
        if len(kept) < 2:
            return kept[0] if kept else None
        hits = [one for one in kept if one.is_hit]
        known = [one.seconds for one in hits if one.seconds is not None]
        first, *others = dict.fromkeys(path for one in kept for path in (one.path, *one.also))
        seconds = sum(known) if len(known) == len(hits) else None
        return cls(first, bool(hits), seconds, sum(one.waited_s for one in hits), tuple(others))

    @property
    def n_bytes(self) -> int:
        """What it takes on disk."""
        return sum(file.stat().st_size for path in (self.path, *self.also) for file in path.rglob("*") if file.is_file())


@dataclass(frozen=True)
class Decoded:
    """How a generator decoded, as far as that does not decide what it said."""

    loop: Literal["own", "transformers"]
    why: str | None  # it is not our own loop
    products: Mapping[str, str] | None  # of linear layers, by the phase that they were chosen for; None = the library's
    max_rows: int | None  # of a batch, where memory or padding limits it
    share_read: float | None = None  # of all tokens of the prompts, those that were computed: prefixes are computed once


@dataclass(frozen=True)
class KnowledgeBudget:
    """How much of what is asked each side was given. A fact is an answer about a cluster, as in the audit.

    What training reaches of a question in another form than it was taught (the other way round, or of several facts) is not
    known; such questions count as not trained, and n_beside_trained says how many there may be.
    """

    n_documents: int  # in the corpus
    n_documents_trained: int  # of these, trained on as they are or in other words
    n_facts_trained: int  # asked in training
    n_questions: int  # of the test, those whose evidence is known
    n_retrievable: int  # of these, with all their evidence in the corpus
    n_trained: int  # of these, with their fact asked in training, or all their evidence trained on
    n_only_retrievable: int  # given to retrieval and not to training
    n_only_trained: int  # given to training and not to retrieval
    n_neither: int
    rows: Mapping[str, int] = field(default_factory=dict)  # trained on, by source; empty also where an earlier version did not count them
    n_beside_trained: int | None = None  # only retrievable, with all evidence asked about otherwise in training; None = not counted
    exercises: ExerciseCounts | None = None  # None = this kind of training has none, or an earlier version did not count them


@dataclass(frozen=True)
class Tried:
    """One form of the prompt and what the base model answered in it."""

    style: Style
    n_exemplars: int
    contains: Estimate
    em: Estimate
    words: float  # mean of the answers, normalised; two characters of a script without spaces are one
    answers: tuple[str, ...]  # the first few, to be read


@dataclass(frozen=True)
class Form:
    """The form of every prompt of a study, and why it is that one."""

    style: Style
    n_exemplars: int
    why: str
    tried: tuple[Tried, ...] = ()
    gold_words: float | None = None  # mean of the gold answers of the questions asked; None = nothing was asked


@dataclass(frozen=True)
class Truncation:
    """How much of some texts was not read, because they were longer than a model reads."""

    n_texts: int
    n_truncated: int
    share_of_tokens_cut: float  # of all tokens of all texts, special ones included


@dataclass(frozen=True)
class Timed:
    """One prompt answered alone."""

    generation: Generation  # its seconds are this request's own: the device was waited for, tokenizing and decoding of text included
    n_generated: int  # tokens that the model made, the end token included: one pass each


@dataclass(frozen=True)
class TrainingRow:
    """One text to train on: the completion is learned, the prompt before it is not."""

    prompt: str  # "" = the completion is a document, learned from its first token
    completion: str  # without the end token; what a chat template writes before an answer included
    cluster: str = ""  # the entity or article that it is about, one that the dataset names; "" = none
    source: Source = "qa"
    id: str = ""  # of the document or the training question that it is made of; "" = none of the dataset's
    is_templated: bool = False  # as of Formatted, of both together
    literal: tuple[Region, ...] | None = None

    @property
    def whole(self) -> Formatted:
        """Prompt and completion."""
        return Formatted(self.prompt + self.completion, self.is_templated, self.literal)

    @property
    def before(self) -> Formatted:
        """The prompt alone."""
        n = len(self.prompt)
        inside = None if self.literal is None else tuple((start, min(end, n)) for start, end in self.literal if start < n)
        return Formatted(self.prompt, self.is_templated, inside)


@dataclass(frozen=True)
class TrainingSet:
    """The rows of one pass over the training data."""

    rows: Sequence[TrainingRow]  # in training order
    exercises: ExerciseCounts | None = None  # None = this kind of training data has no reading exercises


@dataclass(frozen=True)
class Learned:
    """How the learning went."""

    index: Cached | None  # where the costly part of the index is kept; None = nowhere
    adapter: Cached | None  # where the trained weights are kept; None = nothing was trained, or it is not kept
