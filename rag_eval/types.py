"""The nouns of rag_eval: frozen values that cross a file border. Nothing here computes a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["answered", "abstained", "malformed", "error"]
StopReason = Literal["stop", "length", "none"]

PRIMARY = "answer/em"  # the estimate that a run is judged by
ABSTENTION = "unknown"  # what a system says, and gold says, where no document holds the answer


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
class Example:
    """One question with its gold answers. An unanswerable question has no answers and no evidence."""

    id: str
    question: str
    answers: tuple[str, ...]  # any of them is right; () = unanswerable
    evidence: tuple[str, ...] = ()  # ids of documents that hold the answer; () = not known or none
    cluster: str = ""  # questions of one entity or article are not independent
    history: tuple[Turn, ...] = ()  # earlier turns, oldest first
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_answerable(self) -> bool:
        """Whether some answer is right other than saying that none is known."""
        return bool(self.answers)


@dataclass(frozen=True)
class Reading:
    """A reading exercise: a question together with the passages it is to be answered from."""

    example: Example
    documents: tuple[Document, ...]  # in the order of the prompt


@dataclass(frozen=True)
class QADataset:
    """Documents and questions of one source."""

    name: str
    fingerprint: str  # sha256 of every row, in order
    documents: tuple[Document, ...]
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    reading: Sequence[Reading] = ()  # exercises about other documents; may be mixed into training, never asked


@dataclass(frozen=True)
class Retrieved:
    """A document found for a question."""

    document: Document
    score: float  # higher is better; the unit is the retriever's
    rank: int  # 1 = best


@dataclass(frozen=True)
class Searched:
    """What a retriever found for one question."""

    hits: tuple[Retrieved, ...]  # best first
    seconds: Mapping[str, float] = field(default_factory=dict)  # by stage (embed, search), this question's share of its batch


@dataclass(frozen=True)
class Rendered:
    """A prompt ready for a generator."""

    messages: tuple[tuple[str, str], ...]  # (role, content), the form that a chat template takes
    text: str  # the same as plain text, for a model without a chat template
    stripped_sha: str  # sha256 of `text` without passages and exemplars: equal in all arms
    meta: Mapping[str, Any] = field(default_factory=dict)  # of the example: what kind of question it is, never its answer


@dataclass(frozen=True)
class Generation:
    """What a model wrote for one prompt."""

    text: str
    n_prompt_tokens: int  # as given to the model, padding excluded
    n_output_tokens: int  # the stop token excluded
    total_s: float  # the question's share of its batch, by wall clock; model loading excluded
    stop_reason: StopReason
    first_token_s: float | None = None  # None = not measured


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
    n_prompt_tokens: int
    n_output_tokens: int
    seconds: Mapping[str, float]  # wall time by stage (embed, search, prompt, generate), this question's share
    outcome: Outcome
    stop_reason: StopReason


@dataclass(frozen=True)
class Spend:
    """What a stage used up, in physical units."""

    seconds: float | None  # wall time; None = not measured (the stage came from a cache)
    device_seconds: float | None = None  # accelerator time; None = none was used
    peak_bytes: int | None = None  # peak resident memory of the process during the stage
    joules: float | None = None  # None = not measured
    cached: bool = False


@dataclass(frozen=True)
class Estimate:
    """A mean over questions with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int  # questions that could be judged
    n_clusters: int


@dataclass(frozen=True)
class RunResult:
    """One finished run: where it is kept and what it measured."""

    directory: str
    run_id: str
    status: str
    estimates: Mapping[str, Estimate]
    facts: Mapping[str, Any]  # configuration and data identities, spends, counts
    cached: bool  # an earlier identical run was returned
