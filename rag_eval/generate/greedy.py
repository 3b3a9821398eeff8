"""Greedy decoding by a loop of our own: the tokens that the `generate` of transformers writes, for less work.

What all prompts begin with is read once. Prompts are read one after another without padding, the head scores their last token only,
and all texts go on together, one token a step, without those that are over.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from transformers import DynamicCache

from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.heap import keep_freed
from rag_eval.generate.products import multiplying, products_of
from rag_eval.generate.slots import ATTENTION, Part, Slots, Step, padding_mask
from rag_eval.generate.stops import Stops

AT_ONCE = 768  # tokens that are read together, where one prompt has no more
WORTH_SHARING = 8  # tokens that all prompts begin with; fewer are read with each


@dataclass(frozen=True)
class Rules:
    """When an answer ends."""

    n_new: int  # tokens that it may have
    ends: frozenset[int] = frozenset()  # tokens that end it and are no part of it
    stops: Stops | None = None  # texts that end it; their tokens count
    never: Sequence[int] = ()  # tokens that are not written


@dataclass
class Line:
    """One prompt of a batch and what is written for it."""

    prompt: Sequence[int]
    begin: int = 0  # column where it begins
    written: list[int] = field(default_factory=list)  # without the token that ended it
    is_ended: bool = False  # by a token or a text that ends an answer

    def take(self, token: int, rules: Rules) -> None:
        """Write a token, or end."""
        if token in rules.ends:
            self.is_ended = True
            return
        self.written.append(token)
        self.is_ended = rules.stops is not None and rules.stops.is_reached(self.written, self.prompt)

    def is_over(self, rules: Rules) -> bool:
        return self.is_ended or len(self.written) == rules.n_new


class Answer(Protocol):
    """Answers a batch."""

    def __call__(self, prompts: Sequence[Sequence[int]], rules: Rules, first: FirstToken | None = None) -> list[Line]:
        """What is written for each prompt, in order.

        Args:
            prompts: the batch.
            rules: when an answer ends.
            first: is told of every token; only for a batch of one.
        """
        ...


class OwnLoop:
    """A network that reads tokens into slots and scores what may follow them."""

    def __init__(self, network: Any) -> None:
        """
        Args:
            network: a causal language model of transformers in eval mode, whose cache holds keys and values and nothing else.
        """
        self._network = network
        self._cache = "cache" if "cache" in inspect.signature(network.forward).parameters else "past_key_values"
        self.n_layers = len(DynamicCache(config=network.config).layers)
        self.products = products_of(network)

    @contextmanager
    def session(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> Iterator[Answer]:
        """What all prompts begin with is read, and batches of them may be answered.

        Args:
            prompts: all that will be asked.
            n_tokens: rows x columns of the largest batch, answers included.
        """
        keep_freed()
        with self.attending():
            yield Greedy(self, prompts, n_tokens).answer

    @contextmanager
    def attending(self) -> Iterator[None]:
        """Give the network the attention that reads slots, and the fastest products; afterwards it has its own again."""
        before = self._network.config._attn_implementation
        self._network.set_attn_implementation(ATTENTION)
        try:
            with multiplying(self._network, self.products):
                yield
        finally:
            self._network.set_attn_implementation(before)

    def read(
        self, slots: Slots, tokens: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], scored: Sequence[int]
    ) -> torch.Tensor:
        """Scores of what may follow, (n_rows, len(scored), vocabulary).

        Args:
            slots: hold what stands before, and say where this goes.
            tokens: (n_rows, n).
            positions: of each token in its text.
            scored: after which of the n tokens.
        """
        out = self._network(
            input_ids=torch.tensor(tokens),
            position_ids=torch.tensor(positions),
            logits_to_keep=torch.tensor(scored),
            use_cache=True,
            slots=slots,
            **{self._cache: slots},
        )
        scores: torch.Tensor = out.logits
        return scores


class Greedy:
    """Answers to prompts that may begin alike, batch by batch."""

    def __init__(self, loop: OwnLoop, prompts: Sequence[Sequence[int]], n_tokens: int) -> None:
        """Read what all prompts begin with.

        Args:
            loop: its network attends to slots.
            prompts: all that will be asked.
            n_tokens: rows x columns of the largest batch of them, answers included.
        """
        self._loop, self._slots = loop, Slots(loop.n_layers, n_tokens)
        self._n_shared = n_alike(prompts)
        if self._n_shared:
            self._shared = Slots(loop.n_layers, self._n_shared)
            self._shared.now = [Part(0, 0, 0, 0, self._n_shared)]
            loop.read(self._shared, [prompts[0][: self._n_shared]], [range(self._n_shared)], [self._n_shared - 1])

    def answer(self, prompts: Sequence[Sequence[int]], rules: Rules, first: FirstToken | None = None) -> list[Line]:
        """What is written for each prompt of a batch, in order.

        Args:
            prompts: the batch.
            rules: when an answer ends.
            first: is told of every token of a prompt alone.
        """
        longest = max(len(prompt) for prompt in prompts)
        lines = [Line(prompt, longest - len(prompt)) for prompt in prompts]
        begins = [line.begin for line in lines]
        self._slots.open(begins, longest + rules.n_new)
        if self._n_shared:
            self._slots.begin_with(self._shared, self._n_shared, begins)
        if first is not None:
            first.put(None)  # the prompt
        tokens, going = self._first(lines, rules), list(lines)
        for column in range(longest, longest + rules.n_new):
            for line, token in zip(going, tokens, strict=True):
                line.take(token, rules)
            if first is not None:
                first.put(tokens)
            self._leave(going, rules, column)
            if not going:
                break
            tokens = self._next(going, rules, column)
        return lines

    def _first(self, lines: Sequence[Line], rules: Rules) -> list[int]:
        """The first token of each answer, once its prompt is read."""
        found: list[int] = []
        for rows in _together([len(line.prompt) - self._n_shared for line in lines]):
            parts: list[Part] = []
            new: list[int] = []
            positions: list[int] = []
            for row in rows:
                prompt, begin = lines[row].prompt, lines[row].begin
                parts.append(Part(row, begin, begin + self._n_shared, len(new), len(prompt) - self._n_shared))
                new += prompt[self._n_shared :]
                positions += range(self._n_shared, len(prompt))
            self._slots.now = parts
            scores = self._loop.read(self._slots, [new], [positions], [part.offset + part.n - 1 for part in parts])
            found += _best(scores[0], rules)
        return found

    def _next(self, going: Sequence[Line], rules: Rules, column: int) -> list[int]:
        """One token more of each text, the last of which stands in no slot yet."""
        begins = [line.begin for line in going]
        begin = min(begins)
        self._slots.now = Step(len(going), begin, column, padding_mask(begins, begin, column, self._slots.dtype))
        positions = [[len(line.prompt) + len(line.written) - 1] for line in going]
        scores = self._loop.read(self._slots, [line.written[-1:] for line in going], positions, [0])
        return _best(scores[:, 0], rules)

    def _leave(self, going: list[Line], rules: Rules, column: int) -> None:
        """Those that are over leave, and the last one takes the row of each."""
        for row in reversed(range(len(going))):
            if going[row].is_over(rules):
                last = going.pop()
                if row < len(going):
                    self._slots.move(len(going), row, column)
                    going[row] = last


def n_alike(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all of several prompts begin with, where they are worth it and something is left of each; 0 for a single prompt."""
    if len(prompts) < 2:
        return 0
    first, last = (end(prompts, key=list) for end in (min, max))
    n = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last)))
    n = min(n, min(len(prompt) for prompt in prompts) - 1)
    return n if n >= WORTH_SHARING else 0


def _together(lengths: Sequence[int]) -> Iterator[range]:
    """Successive texts that are read together."""
    begin, n = 0, 0
    for at, length in enumerate(lengths):
        if n and n + length > AT_ONCE:
            yield range(begin, at)
            begin, n = at, 0
        n += length
    yield range(begin, len(lengths))


def _best(scores: torch.Tensor, rules: Rules) -> list[int]:
    """The token with the greatest score (n_rows, vocabulary) in each row, the first of equals."""
    scores = scores.float()
    if rules.never:
        scores[:, list(rules.never)] = -torch.inf
    return list(scores.argmax(dim=-1).tolist())
