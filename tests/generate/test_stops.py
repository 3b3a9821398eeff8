"""A text that ends an answer is looked for in the answer alone, and found with the token that completes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from rag_eval.generate.hf import HF
from rag_eval.generate.hf_generate import Transformers
from rag_eval.generate.speech import Speech
from rag_eval.generate.stops import Stops
from rag_eval.models.thinking import Said
from rag_eval.testing.models import TINY, write_random_model
from rag_eval.types import Prompt


class Spelled:
    """A tokenizer whose tokens are given texts."""

    def __init__(self, *pieces: str) -> None:
        self.pieces, self.n_decoded, self.added_tokens_decoder = pieces, 0, {}

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool) -> str:
        self.n_decoded += skip_special_tokens  # of what was written, not of the prompt
        return "".join(self.pieces[token] for token in tokens)


def stops(tokenizer: Any, *texts: str) -> Stops:
    return Stops(Speech(tokenizer), texts)


def first_reached(stops: Stops, tokens: Sequence[int], prompt: Sequence[int] = ()) -> int | None:
    return next((n for n in range(1, len(tokens) + 1) if stops.is_reached(tokens[:n], prompt)), None)


def test_the_token_that_completes_a_stop_is_the_one_that_ends_the_answer() -> None:
    found = stops(Spelled("a", "b\n", "\n", "c\n\nd", "End", "."), "\n\n", "End.")
    assert first_reached(found, [0, 0, 0]) is None
    assert first_reached(found, [0, 1, 0]) is None
    assert first_reached(found, [0, 1, 2, 0]) == 3  # across tokens
    assert first_reached(found, [0, 3, 0]) == 2  # inside one
    assert first_reached(found, [0, 4, 0, 4, 5]) == 5


def test_a_stop_at_the_very_beginning_ends_nothing() -> None:
    found = stops(Spelled("\n", "a"), "\n", "ab")
    assert first_reached(found, [0, 1, 1, 0]) == 4
    assert first_reached(found, [0, 1, 1, 1]) is None


def test_empty_lines_before_an_answer_do_not_end_it() -> None:
    found = stops(Spelled("\n\n", " \n", "Paris", "\n"), "\n")
    assert first_reached(found, [0, 2, 3]) == 3
    assert first_reached(found, [3, 0, 1, 2, 2, 0]) == 6
    assert first_reached(found, [0, 1, 3]) is None
    assert Speech.cut(Said("", "\n\nParis\nQuestion:"), ["\n"]) == 7


def test_a_thought_may_hold_what_ends_an_answer() -> None:
    tokenizer = Spelled("<think>", "hm", "\n", "</think>", "Paris", "!")
    found = stops(tokenizer, "\n")
    assert first_reached(found, [0, 1, 2, 1, 2, 3, 2, 4, 5, 2, 5]) == 11  # a line break at the end may be no more than that
    assert first_reached(found, [1, 2, 3, 4, 2, 5], prompt=[4, 0]) == 6  # opened by the prompt
    assert first_reached(found, [0, 1, 2, 1, 2]) is None


def test_texts_are_spelled_out_only_once_a_token_may_complete_a_stop() -> None:
    tokenizer = Spelled("a", "\n")
    found = stops(tokenizer, "\n")
    for n in range(1, 50):
        assert not found.is_reached([0] * n, [])
    assert tokenizer.n_decoded == 1
    for odd in ("é", "x "):  # bytes of a letter, and a space that stands alone, are not spelled by a token alone
        tokenizer = Spelled("a")
        assert not stops(tokenizer, odd).is_reached([0, 0], [])
        assert tokenizer.n_decoded > 0


def test_no_stops_are_never_reached() -> None:
    assert not stops(Spelled("a"), "").is_reached([0, 0], [])
    assert not stops(Spelled("a")).is_reached([0, 0], [])


@pytest.mark.parametrize("stop", ["liver", "lung gene", "d", ".", "é!", "is "])
def test_every_token_is_judged_as_the_whole_text_is(stop: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    tokens = tokenizer("Its liver, a lung gene, is mild. Où est l'été, é! and so on", add_special_tokens=False)["input_ids"]
    whole = next((n for n in range(1, len(tokens) + 1) if Speech(tokenizer).text(tokens[:n]).find(stop, 1) > 0), None)
    assert first_reached(stops(tokenizer, stop), tokens) == whole
    assert whole is not None


@pytest.mark.parametrize("loop", ["own", "transformers"])
def test_a_stop_that_the_end_of_the_prompt_would_complete_ends_nothing(loop: str, tmp_path: Path) -> None:
    model = write_random_model(tmp_path / "random")
    free = HF(str(model), "float32", "cpu", 8, 4096)
    prompt = next(
        Prompt((), text, "")
        for text in ("liver", "lung", "fever", "gene", "mild")
        if free.generate([Prompt((), text, "")])[0].text.isascii()
    )
    (whole,) = free.generate([prompt])
    tokens = free._decoder.tokenizer(prompt.text)["input_ids"]
    with free._decoder.way.session([tokens], 50) as answer:
        begin = free._decoder.tokenizer.decode(answer([tokens], free._decoder._rules(()))[0].written[:1])
    stop = prompt.text[-1] + begin  # the prompt's last letter and the whole first token
    generator = HF(str(model), "float32", "cpu", 8, 4096, stop=[stop])
    if loop == "transformers":
        generator._decoder.way = Transformers(generator._network)
    (said,) = generator.generate([prompt])
    assert (said.text, said.n_output_tokens, said.stop_reason) == (whole.text, whole.n_output_tokens, whole.stop_reason)
