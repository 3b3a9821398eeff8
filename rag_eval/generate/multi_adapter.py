"""Several adapters on one base model in memory: each prompt is answered with the adapter that its meta names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from rag_eval.errors import DataError
from rag_eval.protocols import Generator, Ranking, Telling, TimedGenerator, Warming
from rag_eval.types import Decoded, Generation, Likelihood, Prompt, Timed


class Switching(Generator, Ranking, Telling, TimedGenerator, Warming, Protocol):
    """A generator with several adapters, one of which is active."""

    beside: Mapping[str, str]  # adapter name -> folder

    def choose(self, name: str) -> float:
        """Activate an adapter. Returns the seconds this took, without loading."""
        ...


class MultiAdapter:
    """Groups prompts by adapter, so that no batch mixes adapters and each call activates each adapter at most once."""

    def __init__(self, generator: Switching, by: str) -> None:
        """Wrap a generator.

        Args:
            generator: base model with adapters.
            by: key of a prompt's meta whose value is the adapter's name.
        """
        self._generator, self.by, self.names = generator, by, tuple(sorted(generator.beside))
        self.device: Literal["cpu", "cuda"] = generator.device

    @property
    def max_prompt_tokens(self) -> int | None:
        return self._generator.max_prompt_tokens

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the text, including the key that selects the adapter."""
        return {**self._generator.identity(), "adapter_by": self.by}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return self._generator.count_tokens(prompts)

    def warm_up(self, prompts: Sequence[Prompt]) -> None:
        """Load the base model and all adapters."""
        self._generator.warm_up(prompts)

    def decoded(self) -> Decoded | None:
        return self._generator.decoded()

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Answer each prompt with its adapter.

        Args:
            prompts: prompts whose meta names an adapter.

        Returns:
            One generation per prompt, in order; its seconds include a share of the switching time.

        Raises:
            DataError: if a prompt names no known adapter; raised before the model is loaded.
        """
        said: dict[int, Generation] = {}
        for seconds, places in self._chosen(prompts):
            group = self._generator.generate([prompts[at] for at in places])
            said |= {at: _later(one, seconds / len(places)) for at, one in zip(places, group, strict=True)}
        return [said[at] for at in range(len(prompts))]

    def log_likelihoods(self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]) -> list[tuple[Likelihood, ...]]:
        found: dict[int, tuple[Likelihood, ...]] = {}
        for _, places in self._chosen(prompts):
            group = self._generator.log_likelihoods([prompts[at] for at in places], [options[at] for at in places])
            found |= dict(zip(places, group, strict=True))
        return [found[at] for at in range(len(prompts))]

    def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
        """Time one prompt, including the switch to its adapter."""
        ((seconds, _),) = self._chosen([prompt])
        timed = self._generator.time_one(prompt, forced_tokens)
        return replace(timed, generation=_later(timed.generation, seconds))

    def _chosen(self, prompts: Sequence[Prompt]) -> Iterator[tuple[float, list[int]]]:
        """Activate each named adapter in turn.

        Args:
            prompts: prompts whose meta names an adapter.

        Yields:
            Seconds of the switch, and the indices of the adapter's prompts.
        """
        check_named([(prompt.example_id, prompt.meta) for prompt in prompts], self.by, self.names)
        groups: dict[str, list[int]] = {}
        for at, prompt in enumerate(prompts):
            groups.setdefault(prompt.meta[self.by], []).append(at)
        for name, places in groups.items():
            yield self._generator.choose(name), places


def check_named(questions: Iterable[tuple[str, Mapping[str, Any]]], by: str, names: Collection[str]) -> None:
    """Check that every question names an adapter.

    Args:
        questions: id and meta of each question.
        by: key of the meta that names the adapter.
        names: known adapters.

    Raises:
        DataError: with the number of questions that do not, and the first of them.
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
    """The generation with its times increased."""
    total, first = (None if one is None else one + seconds for one in (said.total_s, said.first_token_s))
    return replace(said, total_s=total, first_token_s=first)
