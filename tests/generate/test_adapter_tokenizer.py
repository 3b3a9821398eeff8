"""The chat template and the tokenizer of an adapter are used where they go with the model, and refused by name otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer

from rag_eval.adapt.warm_start import WarmStart
from rag_eval.errors import DataError
from rag_eval.generate.hf import HF
from rag_eval.testing.models import N_TOKENS, TINY, write_random_model
from rag_eval.types import Prompt

EACH = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
OTHER = EACH.replace("[", "(").replace("]", ")")
PROMPT = Prompt((("system", "Be brief."), ("user", "Where?")), "Where?", "")
OURS, THEIRS = "[system] Be brief.\n[user] Where?\n", "(system) Be brief.\n(user) Where?\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_random_model(tmp_path_factory.mktemp("models") / "random")
    (folder / "chat_template.jinja").write_text(EACH)
    return folder


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return adapter_folder(tmp_path / "adapter")


def adapter_folder(folder: Path) -> Path:
    """As much of an adapter as is read before its weights are."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    save_file({"weight": torch.zeros(1)}, folder / "adapter_model.safetensors")
    return folder


def hf(base: Path) -> HF:
    return HF(str(base), "float32", "cpu", max_new_tokens=8, token_budget=4096)


def with_tokenizer(folder: Path, change: Callable[[Any], object] = lambda tokenizer: None, template: str | None = OTHER) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    tokenizer.chat_template = template
    change(tokenizer)
    tokenizer.save_pretrained(folder)
    return folder


def asked(base: Path, folder: Path) -> str:
    return hf(base).with_adapter(str(folder)).format(PROMPT).text


def test_an_adapter_without_a_template_is_asked_through_the_models(base: Path, adapter: Path) -> None:
    assert asked(base, adapter) == hf(base).format(PROMPT).text == OURS
    assert hf(base).with_adapter(str(adapter)).identity()["brings_prompting"] is False


def test_an_adapter_is_asked_through_its_own_template_and_that_is_recorded(base: Path, adapter: Path) -> None:
    before = hf(base).with_adapter(str(adapter)).identity()
    (adapter / "chat_template.jinja").write_text(OTHER)
    after = hf(base).with_adapter(str(adapter)).identity()
    assert asked(base, adapter) == THEIRS
    assert after["brings_prompting"] is True
    assert after["adapter"] != before["adapter"]
    assert after["prompting"] != before["prompting"] == hf(base).identity()["prompting"]


def test_a_template_in_the_adapters_tokenizer_configuration_counts_too(base: Path, adapter: Path) -> None:
    (adapter / "tokenizer_config.json").write_text(json.dumps({"chat_template": OTHER, "eos_token": {"content": "<|pad|>"}}))
    generator = hf(base).with_adapter(str(adapter))
    assert generator.format(PROMPT).text == THEIRS
    assert generator.identity()["prompting"]["end"] == 0
    (adapter / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    with pytest.raises(DataError, match=r"eos_token is '<\|im_end\|>', which is no token of the model"):
        hf(base).with_adapter(str(adapter))


def test_an_adapters_tokenizer_of_the_same_vocabulary_is_used(base: Path, adapter: Path) -> None:
    assert asked(base, with_tokenizer(adapter)) == THEIRS


def test_tokens_that_the_model_has_no_embedding_for_are_refused_by_name(base: Path, adapter: Path) -> None:
    with_tokenizer(adapter, lambda tokenizer: tokenizer.add_tokens([f"<|tool{at}|>" for at in range(5)]))
    with pytest.raises(DataError, match=rf"adds '<\|tool0\|>', .*, \.\.\., for which the model has no embedding \(it has {N_TOKENS}\)"):
        hf(base).with_adapter(str(adapter))


def test_a_tokenizer_of_another_model_is_refused(base: Path, adapter: Path) -> None:
    with_tokenizer(adapter)
    path = adapter / "tokenizer.json"
    stated = json.loads(path.read_text())
    vocab = stated["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    path.write_text(json.dumps(stated))
    with pytest.raises(DataError, match=r"gives 2 tokens other ids than the model's \(first: 'a'\)"):
        hf(base).with_adapter(str(adapter))


def test_a_tokenizer_that_is_broken_is_refused_in_one_line(base: Path, adapter: Path) -> None:
    (with_tokenizer(adapter) / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match=r"the tokenizer of the adapter .* cannot be loaded") as refusal:
        hf(base).with_adapter(str(adapter))
    assert "\n" not in str(refusal.value)


def test_several_adapters_are_asked_alike_or_refused(base: Path, tmp_path: Path) -> None:
    folders = {name: str(adapter_folder(tmp_path / name)) for name in ("a", "b")}
    (tmp_path / "a" / "chat_template.jinja").write_text(OTHER)
    with pytest.raises(DataError, match="the adapters a and b bring other chat templates or tokenizers"):
        hf(base).with_adapters(folders, "tenant")
    shutil.copy(tmp_path / "a" / "chat_template.jinja", tmp_path / "b")
    several = hf(base).with_adapters(folders, "tenant")
    assert several.count_tokens([PROMPT]) == hf(base).with_adapter(folders["a"]).count_tokens([PROMPT])


def test_training_does_not_go_on_from_an_adapter_that_is_asked_in_another_way(base: Path, adapter: Path) -> None:
    start = WarmStart(adapter, is_stacked=False)
    start.check_asked_alike(hf(base))
    (adapter / "chat_template.jinja").write_text(EACH)
    start.check_asked_alike(hf(base))
    (adapter / "chat_template.jinja").write_text(OTHER)
    with pytest.raises(DataError, match="brings a chat template or tokenizer of its own"):
        start.check_asked_alike(hf(base))
