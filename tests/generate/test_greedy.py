"""Our own decoding loop writes the tokens that transformers writes, alone and in batches, for every kind of network that it takes on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, RwkvConfig

from rag_eval.generate import greedy, suited
from rag_eval.generate.greedy import Greedy, OwnLoop, Rules, usual_prefix
from rag_eval.generate.hf import HF
from rag_eval.generate.hf_generate import Transformers
from rag_eval.generate.hf_settings import plain
from rag_eval.generate.products import Products
from rag_eval.generate.slots import Part, Slots, Unsuited
from rag_eval.generate.suited import differs, sees_padding, unsuited
from rag_eval.testing.models import TINY, write_random_model
from rag_eval.types import Prompt
from tests.claims import every

N_NEW = 8
SMALL = {
    "vocab_size": 211,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.4,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
GROUPED = {**SMALL, "num_key_value_heads": 2, "head_dim": 8}
TAKEN: dict[str, dict[str, Any]] = {
    "llama": GROUPED,
    "qwen2": GROUPED,
    "qwen3": GROUPED,
    "gemma": GROUPED,
    "phi3": {**GROUPED, "rope_scaling": None},
    "olmo2": GROUPED,
    "granite": GROUPED,
    "smollm3": {**GROUPED, "use_sliding_window": False},
    "mixtral": {**GROUPED, "num_local_experts": 4},
    "gpt_neox": SMALL,
    "phi": SMALL,
    "opt": {**SMALL, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "gpt2": {"vocab_size": 211, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128, "initializer_range": 0.4},
}
LEFT: dict[str, tuple[dict[str, Any], str]] = {
    "mistral": ({**GROUPED, "sliding_window": 16}, "DynamicSlidingWindowLayer"),
    "gemma3_text": ({**GROUPED, "sliding_window": 16}, "DynamicSlidingWindowLayer"),
    "gemma2": (GROUPED, "attention cannot be exchanged"),
    "mamba": ({**SMALL, "state_size": 4}, "attention cannot be exchanged"),
    "bloom": ({"vocab_size": 211, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "attention cannot be exchanged"),
    "llama": (
        {**GROUPED, "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}},
        "length of a batch: dynamic",
    ),
}


def network_of(kind: str, settings: dict[str, Any], dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(3)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings)).to(dtype).eval()
    network.generation_config = plain()
    return network


def prompts_of(n: int, n_words: int = 211, begin: Sequence[int] = ()) -> list[list[int]]:
    rng = random.Random(5)
    return [[*begin, *(rng.randrange(3, n_words) for _ in range(rng.randint(1, 40)))] for _ in range(n)]


def written(network: Any, prompts: Sequence[Sequence[int]], rules: Rules) -> list[tuple[list[int], bool]]:
    with torch.inference_mode(), OwnLoop(network).session(prompts, len(prompts) * (max(map(len, prompts)) + rules.n_new)) as answer:
        return [(line.written, line.is_ended) for line in answer(prompts, rules)]


def expected(network: Any, prompts: Sequence[Sequence[int]], rules: Rules) -> list[tuple[list[int], bool]]:
    """What transformers writes for each prompt alone."""
    lines = [Transformers(network).answer([prompt], rules)[0] for prompt in prompts]
    return [(line.written, line.is_ended) for line in lines]


@pytest.mark.parametrize("kind", TAKEN)
def test_the_tokens_are_those_of_transformers(kind: str) -> None:
    network, rules = network_of(kind, TAKEN[kind]), Rules(N_NEW)
    assert unsuited(network) is None
    assert differs(network) is None
    prompts = prompts_of(9)
    alone = expected(network, prompts, rules)
    assert len({tuple(tokens) for tokens, _ in alone}) > 4  # a network that says the same to everything shows nothing
    assert written(network, prompts, rules) == alone
    assert [written(network, [prompt], rules)[0] for prompt in prompts] == alone
    begun = [[7, 8, 9, 10, 11, 12, 13, 14, 15, *prompt] for prompt in prompts]
    assert written(network, begun, rules) == expected(network, begun, rules)


def test_the_embedded_model_writes_the_same_too() -> None:
    network = AutoModelForCausalLM.from_pretrained(TINY).eval()
    rules = Rules(24, frozenset({network.generation_config.eos_token_id}))
    network.generation_config = plain()
    prompts = prompts_of(12, n_words=3000)
    assert written(network, prompts, rules) == expected(network, prompts, rules)


@pytest.mark.parametrize("at_once", [1, 30, 10_000])
def test_how_many_prompts_are_read_together_changes_nothing(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy, "AT_ONCE", at_once)
    network, prompts, rules = network_of("llama", GROUPED), prompts_of(9), Rules(N_NEW)
    assert written(network, prompts, rules) == expected(network, prompts, rules)


def test_texts_that_end_leave_the_batch_and_the_others_go_on_as_they_would() -> None:
    network, prompts = network_of("llama", GROUPED), prompts_of(12)
    free = expected(network, prompts, Rules(N_NEW))
    ends = frozenset(tokens[2 + at % 5] for at, (tokens, _) in enumerate(free) if at % 2)  # several, reached at different steps
    rules, rows = Rules(N_NEW, ends), []
    network.register_forward_pre_hook(lambda _, args, given: rows.append(given["input_ids"].shape[0]), with_kwargs=True)
    found = written(network, prompts, rules)
    lasting = rows[1:]
    assert lasting == sorted(lasting, reverse=True)
    assert lasting[-1] < lasting[0] < 12 + 1
    assert found == expected(network, prompts, rules)
    assert {is_ended for _, is_ended in found} == {True, False}


def test_what_all_prompts_begin_with_is_read_once() -> None:
    network, n_read = network_of("llama", GROUPED), []
    network.register_forward_pre_hook(lambda _, args, given: n_read.append(given["input_ids"].numel()), with_kwargs=True)
    begin = list(range(20, 50))
    prompts = prompts_of(6, begin=begin)
    written(network, prompts, Rules(1))
    assert n_read == [30, sum(map(len, prompts)) - 6 * 30]


def exemplars_of(*swapped: int) -> list[int]:
    """Four blocks of 20 tokens, of which some are of another kind."""
    return [3 + (37 * block + at + 100 * (block in swapped)) % 200 for block in range(4) for at in range(20)]


def few_shot_prompts() -> list[list[int]]:
    """Ten prompts: six with the usual exemplars, two in which the third is another, one in which the first is, and one without any."""
    begins = [exemplars_of()] * 6 + [exemplars_of(2)] * 2 + [exemplars_of(0), []]
    order = random.Random(2).sample(range(10), 10)
    return [[*begins[at], *prompt] for at, prompt in zip(order, prompts_of(10), strict=True)]


def test_what_only_some_prompts_begin_with_is_read_once_for_each_of_its_kinds() -> None:
    network, n_read = network_of("llama", GROUPED), []
    network.register_forward_pre_hook(lambda _, args, given: n_read.append(given["input_ids"].numel()), with_kwargs=True)
    prompts = few_shot_prompts()
    assert usual_prefix(prompts)[:80] == exemplars_of()
    written(network, prompts, Rules(1))
    own = sum(map(len, prompts_of(10)))
    loop = OwnLoop(network)
    with torch.inference_mode(), loop.session(prompts, 10 * 160) as answer:
        answer(prompts, Rules(1))
    assert (loop.n_given, loop.n_read) == (sum(map(len, prompts)), sum(n_read) // 2)  # of two such sessions
    assert own + 80 + 40 + 80 - 30 < loop.n_read <= own + 80 + 40 + 80  # usual exemplars, from the third, all; own words may begin alike


@pytest.mark.parametrize("kind", ["llama", "gpt_neox"])
@pytest.mark.parametrize("at_once", [1, 60, 10_000])
def test_prompts_with_different_exemplars_are_answered_as_alone(kind: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy, "AT_ONCE", at_once)
    network, prompts, rules = network_of(kind, {**TAKEN[kind], "max_position_embeddings": 256}), few_shot_prompts(), Rules(N_NEW)
    alone = expected(network, prompts, rules)
    assert len({tuple(tokens) for tokens, _ in alone}) > 4
    assert written(network, prompts, rules) == alone
    with torch.inference_mode(), OwnLoop(network).session(prompts, 5 * 160) as answer:
        batches = [[(line.written, line.is_ended) for line in answer(prompts[at : at + 5], rules)] for at in (0, 5)]
    assert batches == [alone[:5], alone[5:]]


def test_prompts_of_which_one_is_the_beginning_of_all_keep_a_token_each() -> None:
    begin = list(range(20, 40))
    assert usual_prefix([begin, begin]) == begin[:-1]
    assert usual_prefix([begin, [*begin, 5], [*begin, 5, 6]]) == begin
    assert usual_prefix([begin]) == []
    assert usual_prefix([[1, 2, 3], [1, 2, 4]]) == []  # not worth it
    network, prompts = network_of("llama", GROUPED), [begin, begin, [*begin, 5]]
    assert written(network, prompts, Rules(N_NEW)) == expected(network, prompts, Rules(N_NEW))


def test_a_short_text_beside_a_long_one_sees_no_padding() -> None:
    network = network_of("llama", {**GROUPED, "max_position_embeddings": 4096})
    rng = random.Random(1)
    prompts = [[rng.randrange(3, 211) for _ in range(n)] for n in (1500, 2, 700, 1)]
    with torch.inference_mode(), OwnLoop(network).session(prompts, 4 * 1510) as answer:
        found = [line.written for line in answer(prompts, Rules(N_NEW))]
    assert found == [tokens for tokens, _ in expected(network, prompts, Rules(N_NEW))]


def test_what_an_earlier_batch_left_behind_is_no_part_of_the_next() -> None:
    network, prompts, rules = network_of("llama", GROUPED), prompts_of(8), Rules(N_NEW)
    with torch.inference_mode(), OwnLoop(network).session([[1], [2]], 1000) as answer:
        greedy_of: Greedy = answer.__self__  # type: ignore[attr-defined]
        answer(prompts, rules)
        for held in greedy_of._slots._held:
            for kept in held:
                kept.fill_(float("nan"))
        found = [(line.written, line.is_ended) for line in answer(prompts, rules)]
    assert found == expected(network, prompts, rules)


def test_tokens_that_are_never_written_are_not() -> None:
    network, prompts = network_of("llama", GROUPED), prompts_of(5)
    never = sorted({tokens[0] for tokens, _ in expected(network, prompts, Rules(1))})
    rules = Rules(N_NEW, never=never)
    found = written(network, prompts, rules)
    assert found == expected(network, prompts, rules)
    assert every(len(tokens) == N_NEW and not set(tokens) & set(never) for tokens, _ in found)


def test_bfloat16_tokens_are_those_of_transformers_where_nothing_is_near_a_tie() -> None:
    network = network_of("llama", GROUPED, torch.bfloat16)
    assert differs(network) is None
    prompts = prompts_of(9)
    pairs = list(zip(written(network, prompts, Rules(1)), expected(network, prompts, Rules(1)), strict=True))
    assert sum(ours == theirs for ours, theirs in pairs) >= 8


def test_the_network_is_as_it_was_afterwards() -> None:
    network = network_of("llama", GROUPED)
    loop, prompt = OwnLoop(network), torch.tensor([[5, 6, 7]])
    loop.products = Products("onednn", "onednn")
    before = network(prompt).logits
    with torch.inference_mode(), loop.session([[5, 6]], 10) as answer:
        assert network.config._attn_implementation != "sdpa"
        with pytest.raises(RuntimeError):
            answer([[5, 6] * 50], Rules(1))  # there is no room for it
    assert network.config._attn_implementation == "sdpa"
    assert torch.equal(network(prompt).logits, before)
    assert "forward" not in vars(network.model.layers[0].mlp.up_proj)


@pytest.mark.parametrize("kind", LEFT)
def test_networks_that_our_loop_does_not_know_are_left_to_transformers(kind: str) -> None:
    settings, why = LEFT[kind]
    assert why in (unsuited(network_of(kind, settings)) or "")


@pytest.mark.parametrize("kind", LEFT)
def test_of_those_all_mask_what_pads_a_text(kind: str) -> None:
    assert not sees_padding(network_of(kind, LEFT[kind][0]))


def test_a_recurrent_network_that_would_read_padding_answers_each_prompt_alone(tmp_path: Path) -> None:
    config = RwkvConfig(vocab_size=3072, hidden_size=32, num_hidden_layers=2, initializer_range=0.5, bos_token_id=None, eos_token_id=1)
    base = write_random_model(tmp_path, config=config)
    generator = HF(str(base), "float32", "cpu", max_new_tokens=N_NEW, token_budget=4096)
    prompts = [
        Prompt((), text, "", style="plain") for text in ("Where is it?", "What is the name of the largest of them all, then?", "Why?")
    ]
    together = generator.generate(prompts)
    assert len({one.text for one in together}) == len(prompts)
    assert [one.text for one in together] == [generator.generate([prompt])[0].text for prompt in prompts]
    decoded = generator.decoded()
    assert decoded is not None
    assert decoded.max_rows == 1


def test_a_network_whose_scores_come_out_differently_is_left_to_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    network, true = network_of("llama", GROUPED), torch.nn.functional.scaled_dot_product_attention

    def looking_ahead(*given: Any, **named: Any) -> torch.Tensor:
        return true(*given, **{**named, "is_causal": False})

    with monkeypatch.context() as patch:
        patch.setattr("rag_eval.generate.slots.scaled_dot_product_attention", looking_ahead)
        assert "from those of transformers" in (differs(network) or "")
    with monkeypatch.context() as patch:
        patch.setattr(suited, "padding_mask", lambda *_: None)
        assert "from those of transformers" in (differs(network) or "")
    assert differs(network) is None


@pytest.mark.parametrize("more", [{"softcap": 30.0}, {"s_aux": torch.ones(4)}, {"sliding_window": 16}, {"position_bias": torch.ones(1)}])
def test_an_attention_that_is_asked_for_more_is_not_computed_as_if_it_were_not(more: dict[str, Any]) -> None:
    network = network_of("llama", GROUPED)
    slots = Slots(3, 10)
    slots.now = [Part(0, 0, 0, 0, 2)]
    loop = OwnLoop(network)
    with torch.inference_mode(), loop.attending():
        loop.read(slots, [[5, 6]], [[0, 1]], [1])
        with pytest.raises(Unsuited, match=next(iter(more))):
            network(input_ids=torch.tensor([[5, 6]]), position_ids=torch.tensor([[0, 1]]), slots=slots, cache=slots, **more)
