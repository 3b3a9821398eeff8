"""Small systems to time, and a clock that goes only when it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rag_eval.adapt.none import NoAdapter
from rag_eval.generate.echo import Echo
from rag_eval.latency.protocol import LatencyProtocol
from rag_eval.prompt import PromptTemplate
from rag_eval.protocols import Retriever
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.dense import Dense
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.retrieve.index.exact import Exact
from rag_eval.retrieve.none import NoRetriever
from rag_eval.system import System
from rag_eval.types import Document, Example, Prompt, QADataset, Timed

DOCUMENTS = tuple(Document(f"d{at}", f"Gene g{at} affects organ o{at} and nothing else that is known.", f"Gene {at}") for at in range(10))
QUESTIONS = tuple(Example(f"q{at}", f"Which organ does gene g{at % 10} affect?", (f"o{at % 10}",)) for at in range(60))


@dataclass
class Clock:
    """Time in seconds, which passes by `sleep` alone."""

    at: float = 100.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class Slow(Echo):
    """An echo that takes its time, by a clock: so long for the first token, so long for each of two more."""

    def __init__(self, clock: Clock, first_s: float, next_s: float) -> None:
        super().__init__(max_words=3)
        self.clock, self.first_s, self.next_s = clock, first_s, next_s
        self.asked: list[str] = []

    def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
        self.asked.append(prompt.example_id)
        timed = super().time_one(prompt, forced_tokens)
        self.clock.at += self.first_s + 2 * self.next_s
        said = replace(timed.generation, first_token_s=self.first_s, total_s=self.first_s + 2 * self.next_s)
        return replace(timed, generation=said)


def echo(retriever: Retriever | None = None, generator: Any = None) -> System:
    system = System(retriever or NoRetriever(), PromptTemplate("Say."), NoAdapter(), generator or Echo(max_words=3))
    return system.learn(QADataset("tiny", "0", DOCUMENTS, (), (), QUESTIONS), seed=0)[0]


def rag(folder: Path, generator: Any = None) -> System:
    dense = Dense(HashEmbedder(64), Exact("cpu", block_rows=64), DirectoryCache(str(folder)), k=2, depth=4)
    return echo(dense, generator)


def protocol(**changes: Any) -> LatencyProtocol:
    given = {
        "scenario": "single_stream",
        "n_queries": 12,
        "n_warmup": 2,
        "n_blocks": 3,
        "forced_tokens": None,
        "rate_per_s": None,
        "cache_state": "warm",
        "seed": 0,
    }
    return LatencyProtocol(**{**given, **changes})
