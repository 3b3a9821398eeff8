"""One base model in memory and several adapters beside it: each prompt is answered with the one that it names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from rag_eval.errors import DataError
from rag_eval.parts import Decoded, Generator, Ranking, Telling, Timed, TimedGenerator, Warming
from rag_eval.types import Generation, Likelihood, Rendered


class Switching(Generator, Ranking, Telling, TimedGenerator, Warming, Protocol):
    """A generator with several adapters, one of which answers at a time."""

    beside: Mapping[str, str]  # name -> folder of the adapter

    def choose(self, name: str) -> float:
        """Answer with this adapter from here on. Returns the seconds that it took, loading excluded."""
        ...


class Grouped:
    """Prompts grouped by adapter, so that no batch mixes them and each call changes the adapter once for each that is asked."""

    def __init__(self, generator: Switching, by: str) -> None:
        """
        Args:
            generator: holds the base model and the adapters.
            by: the key of a prompt's meta whose value is the name of its adapter.
        """
        self._generator, self.by, self.names = generator, by, tuple(sorted(generator.beside))
        self.device: Literal["cpu", "cuda"] = generator.device

    @property
    def max_prompt_tokens(self) -> int | None:
        return self._generator.max_prompt_tokens

    def identity(self) -> Mapping[str, Any]:
        """What decides the text: also the key, for it decides who answers."""
        return {**self._generator.identity(), "adapter_by": self.by}

    def count_tokens(self, prompts: Sequence[Rendered]) -> list[int]:
        return self._generator.count_tokens(prompts)

    def warm_up(self, prompts: Sequence[Rendered]) -> None:
        """Load the base model and all adapters."""
        self._generator.warm_up(prompts)

    def decoded(self) -> Decoded | None:
        return self._generator.decoded()

    def generate(self, prompts: Sequence[Rendered]) -> list[Generation]:
        """One generation a prompt, same order; its seconds include its share of changing the adapter.

        Raises:
            DataError: if a prompt names no adapter; before the model is loaded.
        """
        said: dict[int, Generation] = {}
        for seconds, places in self._chosen(prompts):
            group = self._generator.generate([prompts[at] for at in places])
            said |= {at: _later(one, seconds / len(places)) for at, one in zip(places, group, strict=True)}
        return [said[at] for at in range(len(prompts))]

    def log_likelihoods(self, prompts: Sequence[Rendered], options: Sequence[Sequence[str]]) -> list[tuple[Likelihood, ...]]:
        found: dict[int, tuple[Likelihood, ...]] = {}
        for _, places in self._chosen(prompts):
            group = self._generator.log_likelihoods([prompts[at] for at in places], [options[at] for at in places])
            found |= dict(zip(places, group, strict=True))
        return [found[at] for at in range(len(prompts))]

    def time_one(self, prompt: Rendered, forced_tokens: int | None) -> Timed:
        """One prompt alone by the clock, changing to its adapter included."""
        ((seconds, _),) = self._chosen([prompt])
        timed = self._generator.time_one(prompt, forced_tokens)
        return replace(timed, generation=_later(timed.generation, seconds))

    def _chosen(self, prompts: Sequence[Rendered]) -> Iterator[tuple[float, list[int]]]:
        """For each adapter that is named, in place when it comes: the seconds that took, and the places of its prompts."""
        check_named([(prompt.example_id, prompt.meta) for prompt in prompts], self.by, self.names)
        groups: dict[str, list[int]] = {}
        for at, prompt in enumerate(prompts):
            groups.setdefault(prompt.meta[self.by], []).append(at)
        for name, places in groups.items():
            yield self._generator.choose(name), places


def check_named(questions: Iterable[tuple[str, Mapping[str, Any]]], by: str, names: Collection[str]) -> None:
    """Refuse questions that name no adapter.

    Args:
        questions: id and meta of each.
        by: the key of the meta that names it.
        names: the adapters that there are.

    Raises:
        DataError: with how many do not, and what the first says.
    """
    asked, known = list(questions), sorted(names)
    lost = [(id, meta) for id, meta in asked if meta.get(by) not in known]
    if lost:
        id, meta = lost[0]
        said = f"says {meta[by]!r}" if by in meta else "has none"
        raise DataError(
            f"{len(lost)} of {len(asked)} questions name no adapter in {by!r} of their meta (first: {id!r}, which {said}); "
            f"expected one of {', '.join(known)}. Mend the questions, adapter.by or adapter.paths."
        )


def _later(said: Generation, seconds: float) -> Generation:
    """The generation with so many seconds before it."""
    total, first = (None if one is None else one + seconds for one in (said.total_s, said.first_token_s))
    return replace(said, total_s=total, first_token_s=first)
