"""The echo takes single requests too, and claims no time for a first token that it does not have."""

from __future__ import annotations

from rag_eval.generate.echo import Echo
from rag_eval.types import Prompt

PROMPT = Prompt((("user", "one two three four"),), "one two three four", "")


def test_a_single_request_says_what_a_batch_would() -> None:
    timed, (said,) = Echo(max_words=3).time_one(PROMPT, None), Echo(max_words=3).generate([PROMPT])
    assert (timed.generation.text, timed.generation.n_output_tokens, timed.n_generated) == ("two three four", 3, 3)
    assert (said.text, said.n_prompt_tokens) == (timed.generation.text, timed.generation.n_prompt_tokens)
    assert timed.generation.first_token_s is None
    assert timed.generation.total_s is not None
    assert timed.generation.total_s > 0


def test_a_forced_length_repeats_or_cuts_the_words() -> None:
    said = {n: Echo(max_words=3).time_one(PROMPT, n) for n in (2, 5)}
    assert {n: one.generation.text for n, one in said.items()} == {2: "two three", 5: "two three four two three"}
    assert {n: (one.n_generated, one.generation.n_output_tokens) for n, one in said.items()} == {2: (2, 2), 5: (5, 5)}
