"""Answers from a causal language model: the same for every batch, counted exactly, cut where they should be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.generate.greedy import Answer, Line, Rules
from rag_eval.generate.hf import HF
from rag_eval.generate.hf_generate import Transformers, bytes_of_token
from rag_eval.testing.models import TINY, write_random_model
from rag_eval.types import Generation, Prompt
from tests.claims import every

WORDS = ["liver", "lung", "fever", "gene", "the", "of", "disease", "treated", "with", "a", "an", "is", "affects", "organ", "which", "mild"]
# Lengths go up and down, so that sorting by length changes the order.
PROMPTS = [" ".join(WORDS[(at * 3 + word) % len(WORDS)] for word in range(1 + (at * 7) % 11)) for at in range(12)]


def rendered(texts: Sequence[str]) -> list[Prompt]:
    return [Prompt((("system", "Be brief."), ("user", text)), text, "") for text in texts]


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture
def copied(random_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(random_model, tmp_path / "copied"))


def hf(model: Path, max_new_tokens: int = 8, token_budget: int = 4096, **given: Any) -> HF:
    return HF(str(model), **{"dtype": "float32", "device": "cpu", **given}, max_new_tokens=max_new_tokens, token_budget=token_budget)


def said(generations: Sequence[Generation]) -> list[tuple[str, int, int, str]]:
    """All that is not time."""
    return [(one.text, one.n_prompt_tokens, one.n_output_tokens, one.stop_reason) for one in generations]


def free_run(model: Path, prompt: str, n: int) -> list[int]:
    """The n tokens that the model writes if nothing stops it."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = LlamaForCausalLM.from_pretrained(model)
    given = tokenizer(prompt, return_tensors="pt")
    out = network.generate(**given, max_new_tokens=n, do_sample=False, eos_token_id=None, pad_token_id=0)
    return list(out[0, given["input_ids"].shape[1] :].tolist())


def set_end_token(model: Path, *tokens: int) -> None:
    path = model / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [1, *tokens]}))


def test_the_embedded_model_answers_with_a_few_words_and_stops() -> None:
    (answer,) = hf(TINY, 16).generate(rendered(["Say.\n\nContext:\n[1] Velor: Velor affects the liver.\n\nQuestion: Velor?\nAnswer:"]))
    assert answer.text
    assert 1 <= answer.n_output_tokens <= 16
    assert answer.total_s > 0


@pytest.mark.parametrize("model", ["random", "tiny"])
def test_answers_come_in_the_order_of_the_prompts_and_do_not_depend_on_the_batch(model: str, random_model: Path) -> None:
    folder = random_model if model == "random" else TINY
    alone = [hf(folder).generate([prompt])[0] for prompt in rendered(PROMPTS)]
    assert model == "tiny" or len({one.text for one in alone}) > 3  # otherwise no order could be told
    assert said(hf(folder, token_budget=10_000).generate(rendered(PROMPTS))) == said(alone)
    assert said(hf(folder, token_budget=60).generate(rendered(PROMPTS))) == said(alone)


def test_no_prompts_are_no_answers(random_model: Path) -> None:
    assert hf(random_model).generate([]) == []


def by_transformers(generator: HF) -> HF:
    """The same generator, decoding by the loop of transformers."""
    generator._decoder.way = Transformers(generator._network)
    return generator


def test_prompts_are_padded_on_the_left_and_padding_is_masked(random_model: Path) -> None:
    generator, seen = by_transformers(hf(random_model)), []
    network = generator._network
    true = network.generate
    network.generate = lambda **given: seen.append(given) or true(**given)
    generator.generate(rendered(["liver", "liver lung fever gene"]))
    ids, mask = seen[-1]["input_ids"], seen[-1]["attention_mask"]
    n = [int(row.sum()) for row in mask]
    assert n == [generator.count_tokens(rendered([text]))[0] for text in ("liver lung fever gene", "liver")]
    assert mask[1].tolist() == [0] * (n[0] - n[1]) + [1] * n[1]
    assert ids[1, : n[0] - n[1]].tolist() == [0] * (n[0] - n[1])


def test_prompt_tokens_are_those_of_the_tokenizer(random_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(random_model)
    expected = [len(tokenizer(text)["input_ids"]) for text in PROMPTS]
    assert hf(random_model).count_tokens(rendered(PROMPTS)) == expected
    assert [one.n_prompt_tokens for one in hf(random_model).generate(rendered(PROMPTS))] == expected


def test_an_answer_is_cut_at_max_new_tokens_and_says_so(random_model: Path) -> None:
    tokens = free_run(random_model, "liver", 5)
    (answer,) = hf(random_model, 5).generate(rendered(["liver"]))
    assert (answer.n_output_tokens, answer.stop_reason) == (5, "length")
    assert answer.text == AutoTokenizer.from_pretrained(random_model).decode(tokens).strip()


def until_new(tokens: list[int]) -> int:
    """A place whose token does not stand before it."""
    return next(at for at in range(2, len(tokens)) if tokens[at] not in tokens[:at])


def test_the_end_token_stops_is_not_counted_and_is_no_text(copied: Path) -> None:
    tokens, others = free_run(copied, "liver", 8), free_run(copied, "fever gene", 8)
    n = until_new(tokens)
    set_end_token(copied, tokens[n])
    # The other prompt goes on, so the row that ended is filled with padding.
    answer, other = hf(copied).generate(rendered(["liver", "fever gene"]))
    assert (answer.n_output_tokens, answer.stop_reason) == (n, "stop")
    assert answer.text == AutoTokenizer.from_pretrained(copied).decode(tokens[:n]).strip()
    assert other.n_output_tokens == [*others, tokens[n]].index(tokens[n]) > n


def test_an_end_token_in_the_last_place_is_a_stop_and_not_a_cut(copied: Path) -> None:
    tokens = free_run(copied, "liver", 8)
    n = until_new(tokens)
    set_end_token(copied, tokens[n])
    (answer,) = hf(copied, n + 1).generate(rendered(["liver"]))
    assert (answer.n_output_tokens, answer.stop_reason) == (n, "stop")


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(random_model: Path) -> None:
    prompt, full = next((one, text) for one in PROMPTS if (text := hf(random_model).generate(rendered([one]))[0].text).isascii())
    stop = full[len(full) // 2 : len(full) // 2 + 2]
    assert full.index(stop) > 1
    (answer,) = hf(random_model, stop=[stop]).generate(rendered([prompt]))
    assert (answer.text, answer.stop_reason) == (full[: full.index(stop)].strip(), "stop")
    assert answer.n_output_tokens < 8
    (just,) = hf(random_model, answer.n_output_tokens, stop=[stop]).generate(rendered([prompt]))
    assert (just.text, just.stop_reason) == (answer.text, "stop")  # a stop in the last place is no cut


def test_the_answer_to_plain_text_ends_with_its_line_and_that_to_a_chat_goes_on(
    random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, full = next((one, text) for one in PROMPTS if (text := hf(random_model).generate(rendered([one]))[0].text).isascii())
    line_break = full[len(full) // 2 : len(full) // 2 + 2]
    monkeypatch.setattr("rag_eval.generate.hf.LINE_BREAK", line_break)  # this model writes none
    (asked,) = rendered([prompt])
    chat, plain, again = hf(random_model).generate([asked, replace(asked, style="plain"), asked])
    assert (chat.text, again.text) == (full, full)
    assert (plain.text, plain.stop_reason) == (full[: full.index(line_break)].strip(), "stop")
    timed = hf(random_model).time_one(replace(asked, style="plain"), None).generation
    assert (timed.text, timed.n_output_tokens) == (plain.text, plain.n_output_tokens)


def test_a_prompt_over_the_limit_is_refused(random_model: Path) -> None:
    generator = hf(random_model)
    assert generator.max_prompt_tokens == 256 - 8
    fits, over = "a" * 3 + " a" * 100, " a" * 300
    assert generator.count_tokens(rendered([fits, over]))[1] > 248
    assert len(generator.generate(rendered([fits]))) == 1
    with pytest.raises(ValueError, match="more than the 248 that fit"):
        generator.generate(rendered([fits, over]))


def test_a_chat_template_is_used_where_there_is_one(copied: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(copied)
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"
    tokenizer.save_pretrained(copied)
    generator, prompt = hf(copied), rendered(["Where?"])[0]
    assert generator.format(prompt).text == "<system>Be brief.\n<user>Where?\n<assistant>"
    assert generator.count_tokens([prompt]) == [len(tokenizer("<system>Be brief.\n<user>Where?\n<assistant>")["input_ids"])]
    assert generator.answered(prompt, "liver").text == "<system>Be brief.\n<user>Where?\n<assistant>liver"


def test_without_a_chat_template_the_plain_text_is_given(random_model: Path) -> None:
    generator = hf(random_model)
    assert generator.format(rendered(["Where?"])[0]).text == "Where?"
    assert generator.answered(rendered(["Where?"])[0], "liver").text == "Where? liver"


def limit(generator: HF, fits: Callable[[int, int], bool]) -> list[bool]:
    """Give the loaded model a memory in which only some (rows, tokens a row) fit; what comes back says which calls did."""
    way, calls = generator._decoder.way, []
    true = way.session

    @contextmanager
    def session(*given: Any) -> Iterator[Answer]:
        with true(*given) as answer:

            def limited(prompts: Sequence[Sequence[int]], rules: Rules, first: Any = None) -> list[Line]:
                calls.append(fits(len(prompts), max(map(len, prompts)) + rules.n_new))
                if not calls[-1]:
                    raise torch.OutOfMemoryError("out of memory")
                return answer(prompts, rules, first)

            yield limited

    way.session = session  # type: ignore[method-assign, assignment]
    return calls


@pytest.mark.parametrize("n_rows_that_fit", [1, 3, 7])
def test_out_of_memory_halves_the_batch_and_changes_no_answer(random_model: Path, n_rows_that_fit: int) -> None:
    generator = hf(random_model, token_budget=10_000)
    calls = limit(generator, lambda rows, _: rows <= n_rows_that_fit)
    assert said(generator.generate(rendered(PROMPTS))) == said(hf(random_model).generate(rendered(PROMPTS)))
    assert not calls[0]
    assert every(calls[calls.index(True) :])
    n = len(calls)
    generator.generate(rendered(PROMPTS))
    assert every(calls[n:])  # what was learned is kept
    decoded = generator.decoded()
    assert decoded is not None
    assert decoded.max_rows == {1: 1, 3: 3, 7: 6}[n_rows_that_fit]


def test_what_was_answered_before_the_memory_was_short_is_not_asked_again(random_model: Path) -> None:
    generator = hf(random_model, token_budget=60)
    seen: list[int] = []
    calls = limit(generator, lambda rows, _: seen.append(rows) or len(seen) != 3)
    assert said(generator.generate(rendered(PROMPTS))) == said(hf(random_model).generate(rendered(PROMPTS)))
    assert calls[:3] == [True, True, False]
    assert sum(rows for rows, done in zip(seen, calls, strict=True) if done) == len(PROMPTS)


class Device:
    """A memory of so many tokens; what does not fit in it fails."""

    def __init__(self, generator: HF, n_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n_tokens, self.n_taken, self.calls, self._network = n_tokens, 0, [], generator._network
        by_transformers(generator)._decoder.is_tried = True
        self._true = self._network.generate
        self._network.generate = self.generate
        monkeypatch.setattr("rag_eval.generate.hf_generate._memory", self.take)
        self._one = bytes_of_token(self._network)

    def take(self, n_bytes: int, _: torch.device) -> None:
        self.n_taken = n_bytes // self._one

    def generate(self, **given: Any) -> Any:
        """A trial takes the memory of the whole answers before; a call of its own none."""
        n_rows, width = given["input_ids"].shape
        n_new = given["max_new_tokens"]
        needed = n_rows * (width + n_new) if self.n_taken == 0 else n_rows * width + self.n_taken
        self.calls.append((n_new, needed <= self.n_tokens))
        self.n_taken = 0
        if not self.calls[-1][1]:
            raise torch.OutOfMemoryError("out of memory")
        return self._true(**given)


@pytest.mark.parametrize("n_tokens", [40, 60, 150])
def test_on_a_device_the_trial_fails_and_never_the_timed_call(random_model: Path, n_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = hf(random_model, token_budget=10_000)
    device = Device(generator, n_tokens, monkeypatch)
    assert said(generator.generate(rendered(PROMPTS))) == said(hf(random_model).generate(rendered(PROMPTS)))
    trials = [fits for n_new, fits in device.calls if n_new < 8]
    assert trials == [False] * (len(trials) - 1) + [True]
    assert len(trials) > 1
    assert every(fits for n_new, fits in device.calls if n_new == 8)
    n = len(device.calls)
    generator.generate(rendered(PROMPTS))
    assert every(n_new == 8 for n_new, _ in device.calls[n:])  # what was learned is kept


def test_the_trial_is_of_the_batch_that_needs_most_memory_answers_included(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One long prompt, 1 x (100 + 8); 23 short ones, 23 x (1 + 8): their prompts are shorter, their batch is larger.
    generator = hf(random_model, token_budget=215)
    texts = [" a" * 100, *["a"] * 24]
    assert generator.count_tokens(rendered(texts)) == [100, *[1] * 24]
    device = Device(generator, 200, monkeypatch)
    assert len(generator.generate(rendered(texts))) == 25
    assert device.calls[0] == (2, False)
    assert every(fits for _, fits in device.calls[1:])


def test_a_trial_that_leaves_room_for_two_tokens_only_has_failed(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = hf(random_model, token_budget=10_000)
    (n,) = generator.count_tokens(rendered(["liver lung"]))
    device = Device(generator, 2 * (n + 8) - 1, monkeypatch)
    generator.generate(rendered(["liver lung", "liver lung"]))
    assert device.calls[:2] == [(2, False), (2, True)]


def test_on_a_cpu_nothing_is_read_or_written_in_vain(random_model: Path) -> None:
    generator, n_read = hf(random_model, token_budget=10_000), []
    generator._decoder.way._network.register_forward_pre_hook(  # type: ignore[union-attr]
        lambda _, args, given: n_read.append(given["input_ids"].numel()), with_kwargs=True
    )
    prompts = rendered(PROMPTS)
    answers = generator.generate(prompts)
    n_written = sum(one.n_output_tokens or 0 for one in answers)
    assert sum(n_read) <= sum(generator.count_tokens(prompts)) + n_written


def test_out_of_memory_with_a_single_prompt_is_a_fault_of_the_machine(random_model: Path) -> None:
    generator = hf(random_model)
    limit(generator, lambda rows, _: False)
    with pytest.raises(EnvironmentFault, match=r"one prompt of \d+ tokens") as raised:
        generator.generate(rendered(PROMPTS))
    assert raised.value.exit_code == 4


def test_pickle_weights_are_refused_before_anything_is_loaded(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    (copied / "tokenizer.json").write_text("not read")
    with pytest.raises(DataError, match=r"pytorch_model\.bin: pickle weights refused"):
        hf(copied).generate(rendered(["liver"]))


def test_identity_follows_what_decides_the_text_and_not_the_path(random_model: Path, copied: Path) -> None:
    base = hf(random_model).identity()
    assert hf(copied).identity() == base
    assert hf(copied, token_budget=99).identity() == base
    changed = [hf(copied, dtype="bfloat16"), hf(copied, 9), hf(copied, stop=["."])]
    assert every(one.identity() != base for one in changed)
    write_random_model(copied, seed=1)
    assert hf(copied).identity()["base_model"] != base["base_model"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_have_the_dtype_that_was_asked_for(random_model: Path, dtype: str) -> None:
    network = hf(random_model, dtype=dtype)._network
    assert {str(weight.dtype) for weight in network.parameters()} == {f"torch.{dtype}"}


def test_positions_are_as_exact_as_in_a_model_that_is_loaded_in_few_bits(random_model: Path) -> None:
    ours, theirs = hf(random_model, dtype="bfloat16")._network, LlamaForCausalLM.from_pretrained(random_model, dtype=torch.bfloat16).eval()
    ids = torch.arange(200)[None] + 100
    with torch.inference_mode():
        assert torch.equal(ours(ids).logits, theirs(ids).logits)
    assert {buffer.dtype for buffer in ours.buffers()} == {torch.float32}


def test_a_template_without_a_system_role_gets_the_system_prompt_with_the_first_question(copied: Path) -> None:
    path = copied / "tokenizer_config.json"
    refuses = "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    template = "{% for m in messages %}" + refuses + "<{{ m.role }}>{{ m.content }}{% endfor %}"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    turns = (("system", "Be brief."), ("user", "Who?"), ("assistant", "Ada"), ("user", "Where?"))
    assert hf(copied).format(Prompt(turns, "", "")).text == "<user>Be brief.\n\nWho?<assistant>Ada<user>Where?"


def test_a_template_that_passes_over_the_system_role_gets_the_system_prompt_too(copied: Path) -> None:
    path = copied / "tokenizer_config.json"
    template = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    assert hf(copied).format(Prompt((("system", "Be brief."), ("user", "Who?")), "", "")).text == "<user>Be brief.\n\nWho?"


def test_a_model_without_room_for_a_prompt_is_refused(random_model: Path) -> None:
    with pytest.raises(ConfigError, match=r"max_new_tokens is 256, but .* has 256 positions"):
        hf(random_model, max_new_tokens=256).generate(rendered(["liver"]))


def test_a_folder_that_is_no_causal_language_model_is_refused_in_one_line(copied: Path) -> None:
    (copied / "config.json").write_text('{"model_type": "nothing known"}')
    with pytest.raises(DataError, match="could not be loaded as a causal language model") as refusal:
        hf(copied).generate(rendered(["liver"]))
    assert "\n" not in str(refusal.value)


def test_cut_off_weights_are_refused_in_one_line(copied: Path) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(DataError, match="could not be loaded as a causal language model"):
        hf(copied).generate(rendered(["liver"]))


def test_a_single_request_says_what_a_batch_would_and_when_its_first_token_came(random_model: Path) -> None:
    generator = hf(random_model)
    timed = [generator.time_one(prompt, None) for prompt in rendered(PROMPTS)]
    assert said([one.generation for one in timed]) == said(generator.generate(rendered(PROMPTS)))
    assert len({one.generation.text for one in timed}) > 3
    for one in timed:
        assert one.generation.first_token_s is not None
        assert 0 < one.generation.first_token_s < one.generation.total_s


def test_a_single_request_counts_the_end_token_among_those_made(copied: Path) -> None:
    tokens = free_run(copied, "liver", 8)
    n = until_new(tokens)
    set_end_token(copied, tokens[n])
    generator = hf(copied)
    timed = generator.time_one(rendered(["liver"])[0], None)
    assert (timed.generation.n_output_tokens, timed.generation.stop_reason, timed.n_generated) == (n, "stop", n + 1)
    assert said([timed.generation]) == said(generator.generate(rendered(["liver"])))


def test_a_single_request_stops_at_a_stop_string(random_model: Path) -> None:
    prompt, full = next((one, text) for one in PROMPTS if (text := hf(random_model).generate(rendered([one]))[0].text).isascii())
    generator = hf(random_model, stop=[full[len(full) // 2 : len(full) // 2 + 2]])
    timed = generator.time_one(rendered([prompt])[0], None)
    assert said([timed.generation]) == said(generator.generate(rendered([prompt])))
    assert timed.n_generated < 8


def test_a_forced_length_goes_past_the_end_token_and_stop_strings(copied: Path) -> None:
    tokens = free_run(copied, "liver", 8)
    first = AutoTokenizer.from_pretrained(copied).decode(tokens[:1])
    set_end_token(copied, tokens[until_new(tokens)])
    for n in (1, 5, 8):
        timed = hf(copied, stop=[first]).time_one(rendered(["liver"])[0], n)
        assert (timed.n_generated, timed.generation.n_output_tokens, timed.generation.stop_reason) == (n, n, "length")


def test_no_more_tokens_are_forced_than_an_answer_may_have(random_model: Path) -> None:
    with pytest.raises(ConfigError, match=r"9 tokens are forced, but generator\.max_new_tokens is 8"):
        hf(random_model).time_one(rendered(["liver"])[0], 9)
    with pytest.raises(ValueError, match="more than the 248 that fit"):
        hf(random_model).time_one(rendered([" a" * 300])[0], None)


def test_a_gpu_is_waited_for_before_every_reading_of_the_clock(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, seen = hf(random_model), []
    _ = generator._decoder  # loaded, and compared with transformers
    generator._network.register_forward_hook(lambda *_: seen.append("pass"))
    monkeypatch.setattr("torch.cuda.synchronize", lambda: seen.append("wait"))
    monkeypatch.setattr("rag_eval.generate.hf.time.perf_counter", lambda: seen.append("read") or float(len(seen)))
    generator.device = "cuda"  # the network stays where it is
    generator.time_one(rendered(["liver"])[0], 4)
    batch = ["read"]  # a batch reads the clock around itself, for `generate`
    assert seen == ["wait", "read", *batch, "pass", "wait", "read", "pass", "pass", "pass", *batch, "wait", "read"]


def test_loading_is_no_part_of_a_single_request(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, seen = hf(random_model), []
    load = generator._load_network
    monkeypatch.setattr(generator, "_load_network", lambda dtype: seen.append("load") or load(dtype))
    monkeypatch.setattr("rag_eval.generate.hf.time.perf_counter", lambda: seen.append("read") or float(len(seen)))
    generator.time_one(rendered(["liver"])[0], None)
    assert seen[0] == "load"
    assert seen.count("load") == 1
