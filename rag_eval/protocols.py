"""The verbs of rag_eval: what each exchangeable part promises. A part is any class with these methods."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rag_eval.types import (
    Cached,
    Context,
    Decoded,
    Document,
    Example,
    Formatted,
    Generation,
    Likelihood,
    Prompt,
    QADataset,
    SearchResult,
    Stated,
    Style,
    Timed,
    TrainingRow,
    TrainingSet,
    Truncation,
    Weights,
)

DECIDES_NOTHING = "decides nothing"  # in the annotation of a parameter: it decides nothing of a result, so that no identity has it
Vectors = NDArray[np.float32]  # (n, dim), rows of unit length
Allocate = Callable[[tuple[int, int]], NDArray[np.float32]]  # a shape to an array to be filled: in memory or in a file
Numbers = NDArray[np.int64]  # (n,), of documents; -1 stands for none


class CheckpointStore(Protocol):
    """States of something that takes long to build; complete ones survive an interruption."""

    def last(self) -> Path | None:
        """The folder of the latest complete state; None where there is none."""
        ...

    def save(self, n: int, write: Callable[[Path], None]) -> None:
        """Add the n-th state; `write` fills an empty folder with files."""
        ...


class Cache(Protocol):
    """Directories keyed by everything that decides their content."""

    def build(self, kind: str, key: Mapping[str, Any], write: Callable[[Path], float | None]) -> Cached:
        """The directory for a key; `write` fills an empty one if there is none yet. Two processes never build the same one.

        `write` returns the seconds that earlier attempts took whose work it went on from, if any.
        """
        ...

    def work(self, kind: str, key: Mapping[str, Any]) -> CheckpointStore:
        """Where `write` keeps the states of its work; gone once the directory is complete."""
        ...


class Chunker(Protocol):
    """Whole documents to those that are retrieved."""

    def chunk(self, dataset: QADataset) -> QADataset:
        """The dataset with other documents, and with the evidence of its questions among these."""
        ...


Similarity = Literal["cosine", "dot", "euclidean"]  # by which an embedder was made to be compared


class Embedder(Protocol):
    """Texts to vectors."""

    @property
    def similarity(self) -> Similarity:
        """What its vectors are compared by. Rows of a cosine have unit length; those of the others have the length that they have."""
        ...

    def learn(self, documents: Sequence[Document]) -> Cached | None:
        """See the first documents before any text is embedded, and say where what was learned is kept. Most learn nothing."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """What decides the vectors: model fingerprint, pooling, prompts, similarity, length limit, dtype. Goes into cache keys."""
        ...

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        """float32 (n, dim), in order, in the array that `allocate` gives. Raises DataError naming ids of bad vectors."""
        ...

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        """float32 (n, dim), in order."""
        ...


@runtime_checkable
class Truncating(Protocol):
    """An embedder that reads so many tokens of a text and no more."""

    def truncation(self, documents: Sequence[Document]) -> Truncation:
        """How much of the documents is not read."""
        ...


class Index(Protocol):
    """Nearest vectors by the number that each was given."""

    can_remove: bool  # False: to take a vector out, the index is emptied and filled again
    is_exact: bool  # whether it finds what comparing with every vector would
    is_kept: bool  # whether filling it takes so long that it is kept on disk
    similarities: frozenset[Similarity]  # whose order it finds; that of cosines needs unit rows

    def identity(self) -> Mapping[str, Any]:
        """What decides what is found: kind and settings. Goes into cache keys."""
        ...

    def add(self, numbers: Numbers, vectors: Vectors) -> None:
        """Hold vectors under numbers that it does not hold yet."""
        ...

    def remove(self, numbers: Numbers) -> None:
        """Forget vectors that it holds; only where `can_remove`."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and numbers, both (n_queries, min(k, held)), best first, equal scores by number.

        An index that is not exact may find fewer; the rest of a row is then -1 with a score of -inf.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what it holds into an empty folder."""
        ...

    def load(self, folder: Path) -> None:
        """Hold what was saved, in place of everything else."""
        ...


class Retriever(Protocol):
    """Questions to documents."""

    context: Context  # where the passages come from; a mode demands one
    k: int  # how many enter the prompt
    depth: int  # how many are searched and scored, at least k

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids. Returns where the costly part is kept, None if nowhere."""
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Forget documents. Raises KeyError on an unknown id."""
        ...

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """For each question at most max(k, depth) documents, best first, fewer when the corpus is smaller."""
        ...


@runtime_checkable
class Searching(Retriever, Protocol):
    """A retriever that searches by content, so that what it finds is worth keeping and can be compared with an exact search."""

    def identity(self) -> Mapping[str, Any]:
        """What decides what is found among given documents for given questions, `k` apart. Goes into cache keys."""
        ...

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """What comparing each question with every document would find; None where that is what `search` does."""
        ...


class Reranker(Protocol):
    """Questions and the documents found for them to scores that decide a better order."""

    def learn(self, documents: Sequence[Document]) -> None:
        """See the first documents of the corpus before anything is scored. Most rerankers learn nothing."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """What decides the scores: model fingerprint, settings. Goes into cache keys."""
        ...

    def score(self, questions: Sequence[str], candidates: Sequence[Sequence[Document]]) -> list[NDArray[np.float32]]:
        """For each question float32 (n_candidates,), one score a candidate in the order given; higher is better."""
        ...


class Generator(Protocol):
    """Prompts to text."""

    device: Literal["cpu", "cuda"]  # what it runs on

    @property
    def max_prompt_tokens(self) -> int | None:
        """Tokens that a prompt may have; None = no limit."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """What decides the text: model fingerprint, adapter, dtype, decoding."""
        ...

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        """Length of each prompt in the model's tokens."""
        ...

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """One generation a prompt, same order. Raises ValueError on a prompt over the limit."""
        ...


@runtime_checkable
class Styled(Protocol):
    """A language model whose answers take another form where its prompts do, so that this is chosen by a probe."""

    keeps_form: bool  # True: it was trained on prompts of this project as they stand, and nothing is to be chosen

    @property
    def styles(self) -> tuple[Style, ...]:
        """In which it can be asked: chat first where it has a chat template, plain."""
        ...


@runtime_checkable
class Arriving(Protocol):
    """A generator whose generations come one by one and are paid for as they come, so that each is worth keeping at once."""

    def arriving(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        """Each with the place of its prompt, as they come; `total_s` is the wall time since the one before.

        What had come when a fault ends it comes first.
        """
        ...


@runtime_checkable
class TimedGenerator(Protocol):
    """A generator that also answers a single request by the clock."""

    def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
        """Answer one prompt alone, as `generate` would.

        Args:
            prompt: the prompt.
            forced_tokens: number of tokens of the answer, end token and stop texts suppressed; None = natural length.

        Returns:
            The generation with its own seconds, and the number of tokens made.

        Raises:
            ValueError: if the prompt is over the limit.
            ConfigError: if more tokens are forced than an answer may have.
        """
        ...


class Language(Protocol):
    """Passages and questions that can be read back exactly, because they come from templates."""

    def statements(self, text: str, title: str = "") -> list[Stated]:
        """What a passage states, in its order."""
        ...

    def answer(self, question: str, earlier: Sequence[str], stated: Sequence[Stated]) -> str | None:
        """What statements give as the answer, after earlier questions; None = nothing, or the question is not understood.

        Of several statements that give the same attribute of the same subject the first counts, unless the question says otherwise.
        """
        ...

    def another(self, question: str, earlier: Sequence[str], stated: Sequence[Stated], rng: random.Random) -> str | None:
        """A wrong answer of the kind that `answer` gives; None where it gives none."""
        ...


@runtime_checkable
class Ranking(Protocol):
    """A generator that says how likely a text is."""

    def log_likelihoods(self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]) -> list[tuple[Likelihood, ...]]:
        """For each prompt, how likely each of its options is as the answer, in order."""
        ...


@runtime_checkable
class Warming(Protocol):
    """A generator that gets ready for less than an answer."""

    def warm_up(self, prompts: Sequence[Prompt]) -> None:
        """Load what it needs, and make the calls that would take longer the first time."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A generator that tells how it decoded, as far as that does not decide what it said."""

    def decoded(self) -> Decoded | None:
        """How; None where it decoded nothing."""
        ...


@runtime_checkable
class Probed(Protocol):
    """A generator that says how likely it finds plain text, which no chat template surrounds."""

    def nats_per_token(self, texts: Sequence[str]) -> list[float]:
        """Minus the mean natural log-probability of the tokens of each text, the first excluded; cut where the model's positions end."""
        ...

    def next_token_log_probs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 (n_texts, vocabulary): natural logs of how likely each token is to follow each text."""
        ...


@runtime_checkable
class Spelling(Protocol):
    """A generator that knows the control tokens of its model."""

    def spells_control(self, text: str) -> bool:
        """Whether a text spells one of them; in a prompt it is text all the same."""
        ...


@runtime_checkable
class Choosing(Protocol):
    """A generator with several adapters that answers nothing but prompts whose meta names one."""

    by: str  # the key of the meta
    names: tuple[str, ...]  # of the adapters


class Trainable(Generator, Protocol):
    """A generator whose weights an adapter can change."""

    model: str  # hub id or folder of the base model
    revision: str | None

    @property
    def base_code(self) -> str:
        """Identity of the code by which `base` loads; goes into cache keys."""
        ...

    @property
    def n_positions(self) -> int | None:
        """Tokens that it reads at once, prompt and answer together; None = it names no limit."""
        ...

    def count_row_tokens(self, rows: Sequence[TrainingRow]) -> list[int]:
        """Tokens of each training row, a begin token and the end token included."""
        ...

    def format(self, prompt: Prompt) -> Formatted:
        """The text that the model is given for a prompt."""
        ...

    def answered(self, prompt: Prompt, answer: str) -> Formatted:
        """That text with an answer behind it, as the model is to write it, without the end token."""
        ...

    def base(self, dtype: str) -> tuple[Any, Any]:
        """Its tokenizer and its network without any adapter, for the caller to change.

        The dtype is one of torch by name, or "nf4": 4 bits of bitsandbytes, on CUDA.
        """
        ...

    def with_adapter(self, folder: str) -> Generator:
        """The same generator with a PEFT adapter, or with whole weights in the place of its own."""
        ...

    def with_adapters(self, folders: Mapping[str, str], by: str) -> Generator:
        """The same generator with PEFT adapters by name, each prompt answered with the one that its meta names under `by`."""
        ...


class TrainingData(Protocol):
    """A dataset to the texts that weights are trained on."""

    keeps_order: bool  # True: the rows are to be trained on in their order; False: in any, for it is random

    def training_set(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingSet:
        """One pass over the data.

        Args:
            generator: formats prompts as it does when it answers.
            prompt: the prompt writer of the answering model.
            dataset: the dataset; its test questions are not used.
            seed: seed of all choices and of the order.

        Returns:
            The rows, in training order, and where their reading exercises come from.

        Raises:
            DataError: if the dataset lacks what is to be trained on.
        """
        ...


class PromptWriter(Protocol):
    """A question and its passages to a prompt."""

    def learn(self, dataset: QADataset) -> PromptWriter:
        """The same prompt, with the solved questions that it shows chosen."""
        ...

    def render(self, example: Example, documents: Sequence[Document]) -> Prompt:
        """The prompt for one question with these passages, best first."""
        ...


class Adapter(Protocol):
    """A generator to one that has learned from the dataset."""

    weights: Weights

    def fit(self, generator: Any, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        """A generator that answers with what was learned, and where its weights are kept, if anywhere.

        The generator that comes in is a Trainable where weights are trained; the configuration is checked for that.
        """
        ...


@runtime_checkable
class Teaching(Protocol):
    """An adapter that trains weights on what it makes of a dataset."""

    data: TrainingData

    def with_rows(self, rows: Sequence[TrainingRow]) -> Adapter:
        """The same adapter for a training whose rows were made, and checked, before: `data` is not asked for them again."""
        ...
