"""Systems that answer question by question with the clock running, or that only write their prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rag_eval.errors import ConfigError
from rag_eval.protocols import Generator, TimedGenerator
from rag_eval.system import System
from rag_eval.types import Generation, Prompt


class Answering:
    """A generator that answers in another way than its own."""

    def __init__(self, generator: Generator, way: Callable[[Sequence[Prompt]], list[Generation]]) -> None:
        """Configure the wrapper.

        Args:
            generator: counts the tokens and knows the limit of a prompt.
            way: answers prompts, in order.
        """
        self._generator = generator
        self.generate = way
        self.device: Literal["cpu", "cuda"] = generator.device

    @property
    def max_prompt_tokens(self) -> int | None:
        return self._generator.max_prompt_tokens

    def identity(self) -> Mapping[str, Any]:
        return self._generator.identity()

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return self._generator.count_tokens(prompts)


def alone(system: System, forced_tokens: int | None) -> System:
    """The same system with a generator that answers one prompt at a time and reads the clock at the first token.

    Output tokens of its answers are all that the model made, the end token included, because each took a pass of the model.

    Args:
        system: learned system.
        forced_tokens: number of tokens of each answer; None = natural length.

    Returns:
        The system.

    Raises:
        ConfigError: if the generator cannot be timed.
    """
    generator = system.generator
    if not isinstance(generator, TimedGenerator):
        raise ConfigError(f"{type(generator).__name__} cannot be timed request by request; measure a mode with generator=tiny or hf.")
    timed: TimedGenerator = generator

    def way(prompts: Sequence[Prompt]) -> list[Generation]:
        answered = [timed.time_one(prompt, forced_tokens) for prompt in prompts]
        return [replace(one.generation, n_output_tokens=one.n_generated) for one in answered]

    return replace(system, generator=Answering(generator, way))


def silent(system: System) -> System:
    """The same system, which searches and writes its prompts, counts their tokens and says nothing."""
    generator = system.generator

    def way(prompts: Sequence[Prompt]) -> list[Generation]:
        return [Generation("", n, 0, None, "none") for n in generator.count_tokens(prompts)]

    return replace(system, generator=Answering(generator, way))
