"""What a model is given and what it says, by models of random weights: end tokens, control tokens, styles, thoughts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from rag_eval.errors import ConfigError, DataError
from rag_eval.generate.hf import HF
from rag_eval.generate.hf_checkpoint import with_end_and_padding
from rag_eval.system import outcome
from rag_eval.testing.models import N_TOKENS, append_end_token, write_random_model
from rag_eval.types import Generation, Prompt
from tests.generate.small_tokenizers import write_words
from tests.generate.test_hf import free_run

TEXTS = ["Velor affects the liver.", "Which organ is affected by Velor?", "fever"]
CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture
def copied(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "copied"))


def hf(folder: Path, **given: Any) -> HF:
    settings: dict[str, Any] = {"dtype": "float32", "device": "cpu", "max_new_tokens": 8, "token_budget": 4096}
    return HF(str(folder), **settings | given)


def plain(texts: Sequence[str]) -> list[Prompt]:
    return [Prompt((("system", "Be brief."), ("user", text)), text, "", style="plain") for text in texts]


def chat(text: str) -> Prompt:
    return Prompt((("system", "w9"), ("user", text)), text, "")


def said(generations: Sequence[Generation]) -> list[tuple[str, int | None, int | None]]:
    return [(one.text, one.n_prompt_tokens, one.n_output_tokens) for one in generations]


def test_a_tokenizer_that_appends_its_end_token_changes_no_prompt_no_likelihood_and_no_count(base: Path, copied: Path) -> None:
    usual, appending = hf(base), hf(append_end_token(copied))
    assert AutoTokenizer.from_pretrained(copied)("fever")["input_ids"][-1] == 1
    prompts, options = plain(TEXTS), [["liver", "lung"]] * len(TEXTS)
    assert said(appending.generate(prompts)) == said(usual.generate(prompts))
    assert appending.count_tokens(prompts) == usual.count_tokens(prompts)
    assert appending.log_likelihoods(prompts, options) == usual.log_likelihoods(prompts, options)
    assert appending.nats_per_token(TEXTS) == usual.nats_per_token(TEXTS)
    assert np.array_equal(appending.next_token_log_probs(TEXTS), usual.next_token_log_probs(TEXTS))


def test_a_prompt_that_spells_control_tokens_is_given_as_text(base: Path) -> None:
    generator, tokenizer = hf(base), AutoTokenizer.from_pretrained(base)
    (ids,) = generator._encode(plain(["The tag <|end|> and <|pad|>."]))
    assert {0, 1}.isdisjoint(ids)
    assert tokenizer.decode(ids) == "The tag <|end|> and <|pad|>."
    assert generator.spells_control("The tag <|end|>")
    assert not generator.spells_control("The tag <|ends|>")
    found = generator.log_likelihoods(plain(["Which?"]), [["<|end|>", "liver"]])[0]
    assert found[0].log_p < found[1].log_p  # it takes many tokens, and not one


def test_a_plain_prompt_is_plain_text_for_a_model_with_a_chat_template(base: Path, copied: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(copied)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(copied)
    prompts, options = plain(TEXTS), [["liver", "lung"]] * len(TEXTS)
    assert said(hf(copied).generate(prompts)) == said(hf(base).generate(prompts))
    assert hf(copied).log_likelihoods(prompts, options) == hf(base).log_likelihoods(prompts, options)


def thinking(base: Path, folder: Path, opens: bool, closes: bool) -> tuple[HF, Prompt, list[int]]:
    """A model that writes a thought of three tokens and then its answer, what it is asked, and the tokens that it writes.

    Args:
        base: the model.
        folder: gets the model whose first tokens have the names of marks.
        opens: whether the prompt opens the thought, rather than the model.
        closes: whether the model ends it.
    """
    shutil.copytree(base, folder)
    end = "<think>" if opens else ""
    template = "{% for m in messages %} {{ m.content }}{% endfor %}" + f"{{% if add_generation_prompt %}} {end}{{% endif %}}"
    write_words(folder, {7: "<think>"})
    runs = ((word, free_run(folder, f"w9 w{word} {end}", 8)) for word in range(10, 99))
    word, written = next((word, run) for word, run in runs if len({*run, 0, 1, 2, 7, 9, word}) == 14)
    names = {7: "<think>"} if opens else {written[0]: "<think>"}
    write_words(folder, names | ({written[2]: "</think>"} if closes else {}), template)
    return hf(folder), chat(f"w{word}"), written


@pytest.mark.parametrize("opens", [False, True])
def test_a_thought_is_kept_apart_from_the_answer_whoever_opened_it(base: Path, tmp_path: Path, opens: bool) -> None:
    generator, asked, written = thinking(base, tmp_path / "thinking", opens, closes=True)
    (one,) = generator.generate([asked])
    assert one.text == " ".join(f"w{id}" for id in written[3:])
    assert one.thought == " ".join(f"w{id}" for id in written[0 if opens else 1 : 2])
    assert (one.n_thought_tokens, one.n_output_tokens) == (3, 8)
    assert generator.time_one(asked, None).generation.text == one.text


@pytest.mark.parametrize("opens", [False, True])
def test_a_thought_that_was_cut_is_no_answer(base: Path, tmp_path: Path, opens: bool) -> None:
    generator, asked, written = thinking(base, tmp_path / "thinking", opens, closes=False)
    (one,) = generator.generate([asked])
    assert (one.text, one.n_thought_tokens, one.stop_reason) == ("", 8, "length")
    assert one.thought.split()[-1] == f"w{written[-1]}"
    assert outcome(one) == "malformed"


def test_a_stop_text_ends_an_answer_and_no_thought(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "thinking"
    _, asked, written = thinking(base, folder, opens=False, closes=True)
    inside, behind = f"w{written[1]}", f"w{written[5]}"
    (one,) = hf(folder, stop=[inside]).generate([asked])
    assert (one.n_output_tokens, one.text.split()[0]) == (8, f"w{written[3]}")
    (one,) = hf(folder, stop=[inside, behind]).generate([asked])
    assert (one.n_output_tokens, one.text) == (6, f"w{written[3]} w{written[4]}")


def test_an_answer_without_a_thought_has_none(base: Path) -> None:
    (one,) = hf(base).generate(plain(["fever"]))
    assert (one.thought, one.n_thought_tokens) == ("", None)


def changed(folder: Path, **settings: Any) -> Path:
    """The folder with other settings of its tokenizer; None takes one away."""
    path = folder / "tokenizer_config.json"
    stated = json.loads(path.read_text()) | settings
    path.write_text(json.dumps({key: value for key, value in stated.items() if value is not None}))
    return folder


def test_a_tokenizer_with_neither_end_nor_padding_answers_as_with_both(base: Path, copied: Path) -> None:
    generator = hf(changed(copied, eos_token=None, pad_token=None))
    assert generator._tokenizer.eos_token_id == 1  # as config.json names it
    assert said(generator.generate(plain(TEXTS))) == said(hf(base).generate(plain(TEXTS)))
    config = json.loads((copied / "config.json").read_text()) | {"eos_token_id": None, "pad_token_id": None}
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "generation_config.json").unlink()
    alone = hf(copied)
    assert (alone._tokenizer.eos_token_id, alone._tokenizer.pad_token_id) == (None, None)
    together = alone.generate(plain(TEXTS))
    assert said(together) == said([alone.generate([prompt])[0] for prompt in plain(TEXTS)])
    assert {one.n_output_tokens for one in together} == {8}  # nothing ends them


def test_padding_that_the_model_does_not_know_gives_way_to_the_end_token(base: Path, copied: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(copied)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert tokenizer.pad_token_id == N_TOKENS
    tokenizer.save_pretrained(copied)
    generator = hf(copied)
    assert generator._tokenizer.pad_token_id == 1
    assert said(generator.generate(plain(TEXTS))) == said(hf(base).generate(plain(TEXTS)))


def test_a_known_padding_token_stays(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert with_end_and_padding(tokenizer, hf(base)._checkpoint.config()).pad_token == "<|pad|>"


def test_identity_tells_how_prompts_are_put(base: Path, tmp_path: Path) -> None:
    switch = "{% if enable_thinking is defined %}{% endif %}{{ strftime_now('%Y') }}"
    folder = Path(shutil.copytree(base, tmp_path / "chat"))
    write_words(folder, {}, "{% for m in messages %} {{ m.content }}{% endfor %}" + switch)
    told = [hf(folder, **given).identity()["prompting"] for given in ({}, {"thinking": False}, {"template_date": "2020-01-01"})]
    assert told[0]["chat_template"]["day"] == "2024-07-26"
    assert told[1]["chat_template"]["given"] == {"enable_thinking": False}
    assert told[2]["chat_template"]["day"] == "2020-01-01"
    assert hf(base).identity()["prompting"] == {"begin": [], "end": 1, "chat_template": None}
    assert hf(folder, template_date="2020-01-01").format(chat("w5")).text == " w9 w52020"


def test_a_date_that_is_none_and_thinking_that_cannot_be_told_are_refused(base: Path) -> None:
    with pytest.raises(ConfigError, match=r"template_date is 'today'; expected a day such as 2024-07-26"):
        hf(base, template_date="today")
    with pytest.raises(ConfigError, match="has no chat template that reads it"):
        hf(base, thinking=False).count_tokens([chat("w5")])


def test_a_template_without_the_question_is_refused_before_a_model_is_loaded(base: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(base, tmp_path / "chat"))
    write_words(folder, {}, "nothing")
    generator = hf(folder)
    with pytest.raises(DataError, match="does not write out a system prompt and a question"):
        generator.generate([chat("w5")])
    assert "_network" not in vars(generator)
