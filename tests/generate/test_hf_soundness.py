"""What transformers loads without an error is refused where it is not the model that was meant."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

from rag_eval.errors import DataError
from rag_eval.generate.hf import HF
from rag_eval.testing.models import TINY, write_random_model
from tests.generate.test_hf import hf, rendered


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_random_model(tmp_path / "model")


def change(model: Path, **tensors: torch.Tensor | None) -> None:
    """Put other tensors into the file of weights; None takes one out."""
    weights = load_file(model / "model.safetensors")
    named = {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    save_file({name: one for name, one in (weights | named).items() if one is not None}, model / "model.safetensors", {"format": "pt"})


def refused(model: Path, words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        hf(model).generate(rendered(["liver"]))
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_missing_weights_are_named_and_not_made_up(model: Path) -> None:
    change(model, model__norm__weight=None, model__layers__1__mlp__down_proj__weight=None)
    refused(model, r"lacks 2 that the configuration names \(first: model\.layers\.1\.mlp\.down_proj\.weight\)")


def test_weights_of_another_shape_are_refused(model: Path) -> None:
    change(model, model__norm__weight=torch.ones(16))
    refused(model, r"has another shape of 1 that the configuration names \(first: model\.norm\.weight\)")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(model: Path, value: float) -> None:
    change(model, model__norm__weight=torch.full((32,), value))
    refused(model, r"model\.norm\.weight hold values that are not finite")


def test_a_tokenizer_with_more_tokens_than_the_weights_embed_is_refused(model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(["northeaster", "southeaster"])
    tokenizer.save_pretrained(model)
    refused(model, r"the tokenizer has 2 tokens beyond the 3072 that the weights embed \(first: 'northeaster', id 3072\)")


def test_a_token_that_only_pads_may_lie_beyond_the_embedding(model: Path) -> None:
    before = hf(model).generate(rendered(["liver", "liver lung fever gene"]))
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"pad_token": "[a new pad]"})
    tokenizer.save_pretrained(model)
    after = hf(model).generate(rendered(["liver", "liver lung fever gene"]))
    assert [one.text for one in after] == [one.text for one in before]


def test_an_encoder_is_refused_although_it_has_a_head_for_words(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=3072, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=256
    )
    BertForMaskedLM(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / name, tmp_path)
    refused(tmp_path, "reads ahead|lacks|could not be loaded")


def test_an_adapter_inside_the_folder_of_a_model_is_refused_before_anything_is_loaded(model: Path) -> None:
    (model / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(DataError, match="a PEFT adapter lies in the folder of the base model"):
        HF(str(model), "float32", "cpu", 8, 1000)


def test_a_whole_model_of_one_word_vocabularies_and_the_embedded_one_are_accepted(model: Path) -> None:
    assert hf(model).generate(rendered(["liver"]))[0].text
    assert hf(TINY).generate(rendered(["liver"]))
