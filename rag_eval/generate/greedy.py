"""Greedy decoding loop on CPU: the same tokens as `generate` of transformers with less computation.

Prefixes are computed once: what most prompts begin with for all batches, what other prompts of a batch begin with alike for that batch.
Prompts are prefilled without padding, the LM head is applied to the last token only, and all sequences are decoded in lockstep; finished
ones are removed from the batch.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import torch
from transformers import DynamicCache

from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.heap import keep_freed
from rag_eval.generate.products import multiplying, products_of
from rag_eval.generate.slots import ATTENTION, Part, Slots, Source, Step, padding_mask
from rag_eval.generate.stops import Stops
from rag_eval.models.common_prefix import n_common

AT_ONCE = 768  # maximum tokens per prefill call, unless a single prompt is longer
WORTH_SHARING = 8  # minimum length of a prefix that is copied instead of computed


@dataclass(frozen=True)
class Rules:
    """End conditions of an answer."""

    n_new: int  # maximum number of tokens
    ends: frozenset[int] = frozenset()  # end tokens, which are not part of the answer
    stops: Stops | None = None  # stop texts; their tokens are counted
    never: Sequence[int] = ()  # tokens that are never generated


@dataclass
class Line:
    """One sequence of a batch: a prompt and its generated tokens."""

    prompt: Sequence[int]
    begin: int = 0  # column of its first token
    written: list[int] = field(default_factory=list)  # generated tokens without the end token
    is_ended: bool = False  # ended by an end token or a stop text

    def take(self, token: int, rules: Rules) -> None:
        """Append a token, or end the sequence."""
        if token in rules.ends:
            self.is_ended = True
            return
        self.written.append(token)
        self.is_ended = rules.stops is not None and rules.stops.is_reached(self.written, self.prompt)

    def is_over(self, rules: Rules) -> bool:
        return self.is_ended or len(self.written) == rules.n_new


@dataclass(frozen=True)
class Start:
    """What of a prompt is copied instead of computed."""

    n: int  # tokens
    row: int | None = None  # of the batch, whose prompt begins alike; None = they are of the usual prefix


class Answer(Protocol):
    """Function that answers a batch."""

    def __call__(self, prompts: Sequence[Sequence[int]], rules: Rules, first: FirstToken | None = None) -> list[Line]:
        """Generate an answer to each prompt.

        Args:
            prompts: token ids of the batch.
            rules: end conditions.
            first: receives every token; only for a batch of one.

        Returns:
            One sequence per prompt, in order.
        """
        ...


class OwnLoop:
    """A network for decoding with `Slots`."""

    def __init__(self, network: Any) -> None:
        """Wrap a network.

        Args:
            network: causal language model of transformers in eval mode, whose cache contains only keys and values.
        """
        self._network = network
        self._cache = "cache" if "cache" in inspect.signature(network.forward).parameters else "past_key_values"
        self.n_layers = len(DynamicCache(config=network.config).layers)
        self.products = products_of(network)
        self.n_given = self.n_read = 0  # tokens of all prompts so far, and those of them that were computed

    @contextmanager
    def session(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> Iterator[Answer]:
        """Compute the prefix that most prompts begin with and allow batches of them to be answered.

        Args:
            prompts: all prompts of the session.
            n_tokens: rows x columns of the largest batch, including answers.

        Yields:
            The function that answers a batch.
        """
        keep_freed()
        with self.attending():
            yield Greedy(self, prompts, n_tokens).answer

    @contextmanager
    def attending(self) -> Iterator[None]:
        """Use the attention over slots and the fastest matrix products inside the context, and restore the network afterwards.

        Yields:
            Nothing.
        """
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
        """Forward pass over new tokens.

        Args:
            slots: cache; `slots.now` states where the new tokens go.
            tokens: token ids (n_rows, n).
            positions: position ids of the tokens.
            scored: indices of the tokens whose logits are returned.

        Returns:
            Logits (n_rows, len(scored), vocabulary).
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
    """Greedy decoding of prompts, batch by batch, with each prefix computed once."""

    def __init__(self, loop: OwnLoop, prompts: Sequence[Sequence[int]], n_tokens: int) -> None:
        """Compute the prefix that most prompts begin with.

        Args:
            loop: network, inside `attending`.
            prompts: all prompts of the session.
            n_tokens: rows x columns of the largest batch, including answers.
        """
        self._loop, self._slots = loop, Slots(loop.n_layers, n_tokens)
        self._prefix = usual_prefix(prompts)
        if self._prefix:
            n = len(self._prefix)
            self._shared = Slots(loop.n_layers, n)
            self._shared.now = [Part(0, 0, 0, 0, n)]
            loop.read(self._shared, [self._prefix], [range(n)], [n - 1])
            loop.n_read += n

    def answer(self, prompts: Sequence[Sequence[int]], rules: Rules, first: FirstToken | None = None) -> list[Line]:
        """Generate an answer to each prompt of a batch.

        Args:
            prompts: token ids of the batch.
            rules: end conditions.
            first: receives every token; only for a batch of one.

        Returns:
            One sequence per prompt, in order.
        """
        longest = max(len(prompt) for prompt in prompts)
        lines = [Line(prompt, longest - len(prompt)) for prompt in prompts]
        begins = [line.begin for line in lines]
        self._slots.open(begins, longest + rules.n_new)
        order = sorted(range(len(lines)), key=lambda row: list(lines[row].prompt))
        starts = self._starts(lines, order)
        self._loop.n_given += sum(len(prompt) for prompt in prompts)
        self._loop.n_read += sum(len(line.prompt) - start.n for line, start in zip(lines, starts, strict=True))
        if self._prefix:
            self._slots.begin_with(self._shared, [start.n if start.row is None else 0 for start in starts])
        if first is not None:
            first.put(None)  # the prompt
        tokens, going = self._first(lines, starts, order, rules), list(lines)
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

    def _starts(self, lines: Sequence[Line], order: Sequence[int]) -> list[Start]:
        """For each line the longest prefix that need not be computed: of the usual one, or of a line before it in lexicographic order."""
        starts = [Start(_usable(self._prefix, line.prompt)) for line in lines]
        for before, row in pairwise(order):  # of all lines before it, the previous one begins most alike
            n = _usable(lines[before].prompt, lines[row].prompt)
            if n > starts[row].n:
                starts[row] = Start(n, before)
        return starts

    def _first(self, lines: Sequence[Line], starts: Sequence[Start], order: Sequence[int], rules: Rules) -> list[int]:
        """Prefill the prompts and select the first token of each answer."""
        found = [0] * len(lines)
        for rows in _together([len(lines[row].prompt) - starts[row].n for row in order]):
            parts: list[Part] = []
            new: list[int] = []
            positions: list[int] = []
            for row in (order[at] for at in rows):
                line, start = lines[row], starts[row]
                source = None if start.row is None else Source(start.row, lines[start.row].begin)
                parts.append(Part(row, line.begin, line.begin + start.n, len(new), len(line.prompt) - start.n, source))
                new += line.prompt[start.n :]
                positions += range(start.n, len(line.prompt))
            self._slots.now = parts
            scores = self._loop.read(self._slots, [new], [positions], [part.offset + part.n - 1 for part in parts])
            for part, token in zip(parts, _best(scores[0], rules), strict=True):
                found[part.row] = token
        return found

    def _next(self, going: Sequence[Line], rules: Rules, column: int) -> list[int]:
        """Next token of each sequence; its last token is not in the cache yet."""
        begins = [line.begin for line in going]
        begin = min(begins)
        self._slots.now = Step(len(going), begin, column, padding_mask(begins, begin, column, self._slots.dtype))
        positions = [[len(line.prompt) + len(line.written) - 1] for line in going]
        scores = self._loop.read(self._slots, [line.written[-1:] for line in going], positions, [0])
        return _best(scores[:, 0], rules)

    def _leave(self, going: list[Line], rules: Rules, column: int) -> None:
        """Remove finished sequences; the last row moves into the free row."""
        for row in reversed(range(len(going))):
            if going[row].is_over(rules):
                last = going.pop()
                if row < len(going):
                    self._slots.move(len(going), row, column)
                    going[row] = last


def usual_prefix(prompts: Sequence[Sequence[int]]) -> list[int]:
    """The prefix that is reached by going on with the most frequent next token while at least two prompts do, without the last token of
    the longest of these; empty if it is short."""
    going, n = list(prompts), 0
    while True:
        nexts = Counter(prompt[n] for prompt in going if n < len(prompt) - 1)
        token, count = nexts.most_common(1)[0] if nexts else (0, 0)
        if count < 2:
            break
        going = [prompt for prompt in going if n < len(prompt) - 1 and prompt[n] == token]
        n += 1
    return list(going[0][:n]) if n >= WORTH_SHARING else []


def _usable(beginning: Sequence[int], prompt: Sequence[int]) -> int:
    """Tokens that a prompt begins alike with and that are worth copying, leaving at least one of the prompt."""
    n = min(n_common(beginning, prompt), len(prompt) - 1)
    return n if n >= WORTH_SHARING else 0


def _together(lengths: Sequence[int]) -> Iterator[range]:
    """Ranges of successive sequences that are prefilled in one call."""
    begin, n = 0, 0
    for at, length in enumerate(lengths):
        if n and n + length > AT_ONCE:
            yield range(begin, at)
            begin, n = at, 0
        n += length
    yield range(begin, len(lengths))


def _best(scores: torch.Tensor, rules: Rules) -> list[int]:
    """Token with the highest logit in each row (n_rows, vocabulary), the first of ties."""
    scores = scores.float()
    if rules.never:
        scores[:, list(rules.never)] = -torch.inf
    return list(scores.argmax(dim=-1).tolist())
