"""A question-answering system: it learns from a dataset, into an index or into weights, and then answers.

Every arm is this one shape with other parts in it, null parts included, so two arms differ only in their parts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag_eval.protocols import Adapter, Generator, PromptWriter, Ranking, Retriever, Warming
from rag_eval.text.abstention import is_abstention
from rag_eval.types import Document, Example, Generation, Learned, Likelihood, Outcome, Prediction, Prompt, QADataset, SearchResult


@dataclass(frozen=True)
class System:
    """Four parts that answer questions together."""

    retriever: Retriever
    prompt: PromptWriter
    adapter: Adapter
    generator: Generator

    def learn(self, dataset: QADataset, seed: int) -> tuple[System, Learned]:
        """Index the documents, choose exemplars, fit the adapter on prompts that show them; what comes back is ready to answer."""
        index = self.retriever.add(dataset.documents)
        prompt = self.prompt.learn(dataset)
        generator, kept = self.adapter.fit(self.generator, prompt, dataset, seed)
        return replace(self, prompt=prompt, generator=generator), Learned(index, kept)

    def answer(self, examples: Sequence[Example]) -> list[Prediction]:
        """Search, write prompts that fit, generate. Same order as the examples; a question that cannot fit is an error."""
        found = self.retriever.search(examples)
        asked = self._ask(examples, found)
        fitting = [at for at, one in enumerate(asked) if one.fits]
        written = dict(zip(fitting, self.generator.generate([asked[at].prompt for at in fitting]), strict=True))
        ranked = self._rank(examples, asked, fitting)
        return [
            _prediction(example, one, hits, written.get(at), ranked.get(at, ()))
            for at, (example, one, hits) in enumerate(zip(examples, asked, found, strict=True))
        ]

    def warm_up(self, examples: Sequence[Example]) -> None:
        """Load, and make the first calls, so that the answers that follow are timed as all others."""
        if not isinstance(self.generator, Warming):
            self.answer(examples)
            return
        asked = self._ask(examples, self.retriever.search(examples))
        self.generator.warm_up([one.prompt for one in asked if one.fits])

    def _rank(
        self, examples: Sequence[Example], asked: Sequence[FittedPrompt], fitting: Sequence[int]
    ) -> dict[int, tuple[Likelihood, ...]]:
        """The likelihoods of the options of multiple-choice questions, where the generator tells them; not timed."""
        generator = self.generator
        at_choice = [at for at in fitting if examples[at].grading.choices]
        if not at_choice or not isinstance(generator, Ranking):
            return {}
        found = generator.log_likelihoods([asked[at].prompt for at in at_choice], [examples[at].grading.choices for at in at_choice])
        return dict(zip(at_choice, found, strict=True))

    def _ask(self, examples: Sequence[Example], found: Sequence[SearchResult]) -> list[FittedPrompt]:
        """A prompt for each question, with as many of its passages as fit."""
        begun = time.perf_counter()
        wanted = [tuple(hit.document for hit in searched.hits[: self.retriever.k]) for searched in found]
        prompts = [self.prompt.render(example, documents) for example, documents in zip(examples, wanted, strict=True)]
        limit = self.generator.max_prompt_tokens
        lengths = self.generator.count_tokens(prompts) if limit is not None else [0] * len(prompts)
        share = (time.perf_counter() - begun) / max(1, len(prompts))
        return [
            FittedPrompt(prompt, documents, 0, share) if limit is None or n <= limit else self._cut(example, documents, limit, share)
            for example, documents, prompt, n in zip(examples, wanted, prompts, lengths, strict=True)
        ]

    def _cut(self, example: Example, documents: tuple[Document, ...], limit: int, share: float) -> FittedPrompt:
        """The prompt with the longest run of best passages that fits the limit, found by bisection."""
        begun = time.perf_counter()
        fits, too_many = -1, len(documents)
        while too_many - fits > 1:
            n = (fits + too_many) // 2
            if self.generator.count_tokens([self.prompt.render(example, documents[:n])])[0] <= limit:
                fits = n
            else:
                too_many = n
        kept = documents[: max(fits, 0)]
        seconds = share + time.perf_counter() - begun
        return FittedPrompt(self.prompt.render(example, kept), kept, len(documents) - len(kept), seconds, fits >= 0)


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt and what had to be left out of it."""

    prompt: Prompt
    documents: tuple[Document, ...]  # those in the prompt
    n_truncated: int
    seconds: float
    fits: bool = True  # False: it is too long even without passages


def _prediction(
    example: Example, asked: FittedPrompt, searched: SearchResult, generation: Generation | None, likelihoods: tuple[Likelihood, ...]
) -> Prediction:
    said = generation or Generation("", 0, 0, 0.0, "none")
    return Prediction(
        example_id=example.id,
        text=said.text,
        retrieved=tuple(hit.document.id for hit in searched.hits),
        retrieved_scores=tuple(hit.score for hit in searched.hits),
        in_prompt=tuple(document.id for document in asked.documents) if generation else (),
        n_truncated=asked.n_truncated,
        prompt_sha=asked.prompt.stripped_sha,
        n_prompt_tokens=said.n_prompt_tokens,
        n_output_tokens=said.n_output_tokens,
        seconds=_seconds(searched, asked, said),
        outcome=outcome(generation),
        stop_reason=said.stop_reason,
        is_context_known=searched.is_known,
        likelihoods=likelihoods,
        thought=said.thought,
        n_thought_tokens=said.n_thought_tokens,
    )


def _seconds(searched: SearchResult, asked: FittedPrompt, said: Generation) -> dict[str, float]:
    """Wall time by stage; nothing where the generation was not timed, for a part of the way must not pass for the whole."""
    if not said.is_asked:
        return dict(searched.seconds)
    if said.total_s is None:
        return {}
    if said.is_whole:
        return {"recorded": said.total_s}
    if said.first_token_s is None:
        generated = {"generate": said.total_s}
    else:
        generated = {"prefill": said.first_token_s, "decode": said.total_s - said.first_token_s}
    return {**searched.seconds, "prompt": asked.seconds, **generated}


def outcome(generation: Generation | None) -> Outcome:
    """How a question ended; None is one that could not be asked."""
    if generation is None or generation.stop_reason == "error":
        return "error"
    if not generation.is_asked:
        return "unasked"
    if not generation.text.strip():
        return "malformed"
    return "abstained" if is_abstention(generation.text) else "answered"
