"""Several adapters on one base model: each question gets the answer of its own, and the adapter changes once for each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaForCausalLM

from rag_eval.adapt.external import ExternalAdapter
from rag_eval.errors import ConfigError, DataError
from rag_eval.generate.hf import HF
from rag_eval.generate.multi_adapter import MultiAdapter
from rag_eval.prompt import PromptTemplate
from rag_eval.protocols import Probed
from rag_eval.record.identity import run_id
from rag_eval.testing.models import write_random_model
from rag_eval.types import Example, Prompt, QADataset
from tests.claims import every
from tests.test_conf import checked

PROMPT = PromptTemplate("Say.")
NAMES = ("values", "a.b c")  # any text is a name, also one that no module can have
EXAMPLES = [Example(f"q{at}", "what " * (at * 5 % 7) + f"is {at}?", ("liver",), meta={"tenant": NAMES[at % 2]}) for at in range(8)]
PROMPTS = [PROMPT.render(example, ()) for example in EXAMPLES]
OPTIONS = [["liver", "lung"]] * len(PROMPTS)
DATASET = QADataset("d", "0", (), (), (), tuple(EXAMPLES))
SPEC = checked("mode=finetune", "adapter=given")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def paths(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Random adapters of different ranks on different layers, each by its name."""
    root, found = tmp_path_factory.mktemp("adapters"), {}
    for at, (name, targets) in enumerate(zip(NAMES, (["q_proj", "v_proj"], ["v_proj", "up_proj"]), strict=True)):
        torch.manual_seed(at)
        lora = LoraConfig(r=2 + at, lora_alpha=8, target_modules=targets, init_lora_weights=False, task_type="CAUSAL_LM")
        get_peft_model(LlamaForCausalLM.from_pretrained(base), lora).save_pretrained(root / str(at))
        found[name] = str(root / str(at))
    return found


def hf(base: Path, **changed: Any) -> HF:
    return HF(str(base), "float32", "cpu", max_new_tokens=8, token_budget=120, **changed)


def grouped(base: Path, paths: Mapping[str, str], by: str = "tenant") -> MultiAdapter:
    generator, _ = ExternalAdapter(paths=dict(paths), by=by).fit(hf(base), PROMPT, DATASET, 0)
    assert isinstance(generator, MultiAdapter)
    return generator


def test_mixed_questions_get_exactly_the_answers_of_each_adapter_alone(base: Path, paths: dict[str, str]) -> None:
    several = grouped(base, paths)
    said, likely = several.generate(PROMPTS), several.log_likelihoods(PROMPTS, OPTIONS)
    for at, name in enumerate(NAMES):
        alone, _ = ExternalAdapter(paths[name]).fit(hf(base, adapter_mode="unmerged"), PROMPT, DATASET, 0)
        assert isinstance(alone, HF)
        assert [one.text for one in said[at::2]] == [one.text for one in alone.generate(PROMPTS[at::2])]
        assert likely[at::2] == alone.log_likelihoods(PROMPTS[at::2], OPTIONS[at::2])  # to the bit
        assert [one.text for one in said[1 - at :: 2]] != [one.text for one in alone.generate(PROMPTS[1 - at :: 2])]
    assert [one.n_prompt_tokens for one in said] == several.count_tokens(PROMPTS)


def test_the_base_is_loaded_once_and_the_adapter_changes_once_for_each(
    base: Path, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, switched = [], []
    load, switch = HF._load_network, PeftModel.set_adapter
    monkeypatch.setattr(HF, "_load_network", lambda *given: loaded.append(given) or load(*given))
    several = grouped(base, paths)
    several.generate(PROMPTS[:1])
    monkeypatch.setattr(PeftModel, "set_adapter", lambda *given, **more: switched.append(given[1]) or switch(*given, **more))
    several.generate(PROMPTS)
    assert len(switched) == len(set(switched)) == len(paths)
    assert len(loaded) == 1


def test_the_adapters_have_the_dtype_of_answering(base: Path, paths: dict[str, str]) -> None:
    several = HF(str(base), "bfloat16", "cpu", max_new_tokens=8, token_budget=120).with_adapters(paths, "tenant")
    several.generate(PROMPTS[:2])
    weights = dict(several._generator._network.named_parameters())  # type: ignore[attr-defined]
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert sum("lora_A" in name for name in weights) == 2 * 2 * len(paths)


def test_changing_the_adapter_is_part_of_the_time(base: Path, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    several, choose = grouped(base, paths), HF.choose
    monkeypatch.setattr(HF, "choose", lambda self, name: choose(self, name) + 1000.0)
    timed = several.time_one(PROMPTS[0], None).generation
    assert timed.total_s is not None
    assert timed.first_token_s is not None
    assert timed.total_s > timed.first_token_s > 1000
    for one in several.generate(PROMPTS):
        assert one.total_s is not None
        assert 1000 / 4 < one.total_s < 1000 / 3  # four questions share a change


@pytest.mark.parametrize(("meta", "said"), [({}, "which has none"), ({"tenant": "values "}, "'values '"), ({"tenant": ["values"]}, "says")])
def test_a_question_that_names_no_adapter_is_refused_before_the_model_is_loaded(
    base: Path, paths: dict[str, str], meta: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(HF, "_load_network")
    prompts: list[Prompt] = [*PROMPTS, replace(PROMPTS[3], example_id="odd", meta=meta), replace(PROMPTS[4], meta=meta)]
    with pytest.raises(DataError, match=rf"2 of 10 questions name no adapter in 'tenant' .*'odd', .*{said}.*one of a\.b c, values\."):
        grouped(base, paths).generate(prompts)


@pytest.mark.parametrize("odd", [{}, {"path": "a", "paths": {"x": "a"}, "by": "t"}, {"paths": {"x": "a"}}, {"path": "a", "by": "t"}])
def test_one_folder_or_several_with_a_key_are_demanded(odd: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"expected adapter\.path=FOLDER alone, or 'adapter\.paths="):
        ExternalAdapter(**odd)


def test_every_adapter_is_judged_as_a_single_one_is(base: Path, paths: dict[str, str], tmp_path: Path) -> None:
    first, second = (paths[name] for name in NAMES)
    unsafe, foreign = (shutil.copytree(second, tmp_path / name) for name in ("unsafe", "foreign"))
    (unsafe / "adapter_model.safetensors").rename(unsafe / "adapter_model.bin")
    with pytest.raises(DataError, match=r"unsafe: expected adapter_model\.safetensors, found pickle"):
        ExternalAdapter(paths={"x": first, "y": str(unsafe)}, by="tenant")
    config, another = (foreign / "adapter_config.json").read_text(encoding="utf-8"), write_random_model(tmp_path / "another", seed=9)
    (foreign / "adapter_config.json").write_text(config.replace(str(base), str(another)), encoding="utf-8")
    with pytest.raises(DataError, match=f"foreign: trained for {another}"):
        grouped(base, {"x": first, "y": str(foreign)})
    torn = shutil.copytree(second, tmp_path / "torn")
    (torn / "adapter_config.json").write_text(config.replace('"up_proj"', '"k_proj"'), encoding="utf-8")
    with pytest.raises(DataError, match=r"torn: adapter_config\.json and .* disagree"):
        grouped(base, {"a.b c": first, "values": str(torn)}).generate(PROMPTS)


def test_names_and_contents_of_all_decide_and_their_order_does_not(base: Path, paths: dict[str, str], tmp_path: Path) -> None:
    def known(paths: Mapping[str, str], by: str = "tenant") -> tuple[str, str]:
        spec = replace(SPEC, adapter=SPEC.adapter.having(paths=dict(paths), by=by))
        return str(grouped(base, paths, by).identity()), run_id(spec, DATASET, EXAMPLES)

    first, second = NAMES
    moved = shutil.copytree(paths[second], tmp_path / "moved")
    same = [paths, dict(reversed(paths.items())), {first: paths[first], second: str(moved)}]
    other = [{first: paths[second], second: paths[first]}, {first: paths[first], "c": paths[second]}, {first: paths[first]}]
    assert len({known(one) for one in same}) == 1
    each = [known(paths), known(paths, "customer"), *map(known, other)]
    assert every(len(set(ids)) == len(each) for ids in zip(*each, strict=True))


def test_several_adapters_are_compared_neither_with_merged_ones_nor_as_one_model(base: Path, paths: dict[str, str]) -> None:
    several = grouped(base, paths)
    assert several.identity()["adapter_mode"] == "grouped"
    assert several.identity()["base_model"] == hf(base).identity()["base_model"]
    assert not isinstance(several, Probed)  # a text that names no adapter has no probability
