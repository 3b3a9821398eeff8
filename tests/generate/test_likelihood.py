"""Log-likelihoods of options are those of each text alone, whatever stands beside it in a batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from rag_eval.errors import DataError
from rag_eval.generate.hf import HF
from rag_eval.generate.likelihood import log_likelihoods, next_token_log_probs
from rag_eval.testing.models import write_random_model
from rag_eval.types import Prompt
from tests.claims import every


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("random"))


def prompt(text: str) -> Prompt:
    return Prompt((("system", ""), ("user", text)), text, "")


@torch.inference_mode()
def alone(model: Path, ids: list[int]) -> list[float]:
    """log P of each token but the first, one forward pass of one text."""
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    logits = network(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
    return [float(logits[at, token]) for at, token in enumerate(ids[1:])]


def test_the_sums_are_those_of_one_text_alone_and_padding_changes_nothing(model: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    texts = [[5, 6, 7], [9, 10, 11, 12, 13, 14, 15], [20, 21]]
    found = log_likelihoods(network, texts, [2, 3, 1], token_budget=1000)
    for (log_p, joint), ids, border in zip(found, texts, [2, 3, 1], strict=True):
        each = alone(model, ids)
        assert joint == pytest.approx(sum(each), abs=1e-4)
        assert log_p == pytest.approx(sum(each[border - 1 :]), abs=1e-4)
    singly = log_likelihoods(network, texts, [2, 3, 1], token_budget=1)
    assert [one for pair in singly for one in pair] == pytest.approx([one for pair in found for one in pair], abs=1e-4)


def test_options_come_back_in_order_and_differ_by_the_prompt(model: Path) -> None:
    hf = HF(str(model), "float32", "cpu", 8, 1024)
    first, second = hf.log_likelihoods([prompt("Where is it? Answer:"), prompt("Who is it? Answer:")], [["north", "south east"], ["Ada"]])
    assert [one.option for one in (*first, *second)] == ["north", "south east", "Ada"]
    assert every(one.log_p_joint < one.log_p < 0 for one in (*first, *second))
    (again,) = hf.log_likelihoods([prompt("Who is it? Answer:")], [["north"]])
    assert again[0].log_p != pytest.approx(first[0].log_p, abs=1e-3)


def test_the_joint_likelihood_is_that_of_the_prompt_plus_that_of_the_option(model: Path) -> None:
    hf = HF(str(model), "float32", "cpu", 8, 1024)
    one, other = hf.log_likelihoods([prompt("Where is it? Answer:")], [["north", "south"]])[0]
    assert one.log_p_joint - one.log_p == pytest.approx(other.log_p_joint - other.log_p, abs=1e-4)


def test_an_option_that_does_not_fit_is_refused(model: Path) -> None:
    hf = HF(str(model), "float32", "cpu", 8, 1024)
    with pytest.raises(DataError, match="does not fit"):
        hf.log_likelihoods([prompt("Where?")], [["north " * 400]])


def test_the_distribution_of_the_next_token_is_that_behind_each_text_alone(model: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    texts = [[5, 6, 7], [9, 10, 11, 12, 13, 14, 15], [20]]
    for budget in (1000, 1):
        found = next_token_log_probs(network, texts, token_budget=budget)
        assert found.shape == (3, 3072)
        for row, ids in zip(found, texts, strict=True):
            with torch.inference_mode():
                wanted = network(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
            assert row == pytest.approx(wanted.numpy(), abs=1e-3)
    assert next_token_log_probs(network, [], token_budget=1).shape == (0, 0)


def test_of_long_prompts_few_are_scored_at_once_however_many_are_answered_at_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.generate.hf.WHOLE_TEXT_TOKENS", 200)
    generator, sizes = HF(str(model), "float32", "cpu", max_new_tokens=8, token_budget=16384), []
    generator._network.register_forward_pre_hook(lambda _, args, given: sizes.append(given["input_ids"].numel()), with_kwargs=True)
    generator.log_likelihoods([prompt("what is it? " * 20)] * 4, [["liver", "lung"]] * 4)
    generator.next_token_log_probs(["what is it? " * 20] * 4)
    assert len(sizes) > 2
    assert max(sizes) <= 200


def test_nats_per_token_are_of_the_plain_text_as_far_as_it_fits(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hf = HF(str(model), "float32", "cpu", 8, 1024)
    monkeypatch.setattr(hf._tokenizer, "chat_template", "never {{ messages }}")
    text = "Where is it? It is in the north."
    ids = hf._tokenizer(text)["input_ids"]
    each = alone(model, ids)
    short, long = hf.nats_per_token([text, "north " * 400])
    assert short == pytest.approx(-sum(each) / len(each), abs=1e-4)
    assert long == pytest.approx(-sum(alone(model, hf._tokenizer("north " * 400)["input_ids"][:256])) / 255, abs=1e-3)
    assert hf.next_token_log_probs([text]).shape == (1, 3072)
