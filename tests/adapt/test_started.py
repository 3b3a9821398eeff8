"""An adapter that begins with another: trained on, or stacked on top of it, and in the end one folder over the bare model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from rag_eval.adapt import lora as lora_module
from rag_eval.errors import ConfigError, DataError
from rag_eval.record.identity import run_id
from rag_eval.testing.models import write_random_model
from rag_eval.types import Cached
from tests.adapt.test_resume import TRAINING
from tests.adapt.tiny_training import DATASET, PROMPT, TRAIN, fit, hf, logits, lora
from tests.claims import every, none_of
from tests.test_conf import checked

pytestmark = pytest.mark.train

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def first(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(tmp_path_factory.mktemp("first"), base, epochs=3.0)[1].path


def answers(base: Path, *folders: Path) -> torch.Tensor:
    """The logits of the base model with adapters added one after the other."""
    model = LlamaForCausalLM.from_pretrained(base)
    for folder in folders:
        model = PeftModel.from_pretrained(model, folder).merge_and_unload()
    return logits(model, base)


def foreign(adapter: Path, folder: Path, **changed: Any) -> Path:
    """The adapter as others would hand it on, without a manifest, with changes of its configuration."""
    shutil.copytree(adapter, folder, ignore=shutil.ignore_patterns("manifest.json"))
    stated = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**stated, **changed}))
    return folder


@pytest.mark.parametrize("kind", [{}, {"dora": True, "rank_stabilised": True}])
def test_training_that_takes_no_step_leaves_the_adapter_that_it_goes_on_from(kind: dict[str, Any], base: Path, tmp_path: Path) -> None:
    before = fit(tmp_path, base, epochs=3.0, **kind)[1].path
    kept = fit(tmp_path, base, start=str(before), learning_rate=1e-12, **kind)[1]
    assert not kept.is_hit
    old, new = (load_file(folder / WEIGHTS) for folder in (before, kept.path))
    assert old.keys() == new.keys()
    assert every(torch.allclose(old[name], new[name], atol=1e-9) for name in old)
    assert torch.allclose(answers(base, kept.path), answers(base, before), atol=1e-5)
    assert not torch.allclose(answers(base, kept.path), answers(base), atol=0.1)


def test_training_goes_on_from_where_it_starts(base: Path, first: Path, tmp_path: Path) -> None:
    more, anew = fit(tmp_path, base, start=str(first))[1], fit(tmp_path, base)[1]
    old, new, alone = (load_file(folder / WEIGHTS) for folder in (first, more.path, anew.path))
    name = next(name for name in old if "lora_B" in name)
    assert 0 < (new[name] - old[name]).abs().max() < (new[name] - alone[name]).abs().max()


STACKED: dict[str, dict[str, Any]] = {
    "lora": {},
    "another rank and scale": {"rank": 3, "alpha": 5, "rank_stabilised": True},
    "pissa": {"init": "pissa"},
}


@pytest.mark.parametrize("kind", STACKED)
def test_a_stacked_adapter_is_one_folder_with_the_answers_of_both(
    kind: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit(tmp_path, base, alpha=5, epochs=3.0)[1].path
    seen: list[torch.Tensor] = []
    kept = watched(seen, monkeypatch, base, tmp_path, start=str(first), stacked=True, epochs=3.0, **STACKED[kind])
    weights, stated = load_file(kept.path / WEIGHTS), json.loads((kept.path / "adapter_config.json").read_text())
    rank = STACKED[kind].get("rank", 2) * (2 if kind == "pissa" else 1)
    assert {weight.shape[0 if "lora_A" in name else 1] for name, weight in weights.items()} == {2 + rank} == {stated["r"]}
    both = logits(PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), kept.path), base)
    rounding = 1e-5 * both.abs().max().item()
    assert torch.allclose(both, seen[0], atol=rounding)
    assert torch.allclose(both, answers(base, kept.path), atol=rounding)
    assert not torch.allclose(both, answers(base, first), atol=0.1)
    old = load_file(first / WEIGHTS)
    assert every(torch.equal(weights[name][:2], old[name]) for name in old if "lora_A" in name)


def watched(seen: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch, base: Path, root: Path, **changed: Any) -> Cached:
    """A training, and the logits of its network when it had ended: the merged weights with the new adapter beside them."""
    save = lora_module._save

    def saved(trained: Any, *rest: Any) -> None:
        seen.append(logits(trained.model, base))
        save(trained, *rest)

    monkeypatch.setattr(lora_module, "_save", saved)
    return fit(root, base, **changed)[1]


def test_stacked_training_that_takes_no_step_answers_like_what_is_below(base: Path, first: Path, tmp_path: Path) -> None:
    kept = fit(tmp_path, base, start=str(first), stacked=True, learning_rate=1e-12)[1]
    assert torch.allclose(answers(base, kept.path), answers(base, first), atol=1e-5)


def test_one_may_go_on_from_what_was_stacked_and_stack_again(base: Path, first: Path, tmp_path: Path) -> None:
    two = fit(tmp_path, base, start=str(first), stacked=True)[1].path
    three = fit(tmp_path, base, start=str(two), stacked=True, learning_rate=1e-12)[1].path
    again = fit(tmp_path, base, start=str(two), rank=4, alpha=4, learning_rate=1e-12)[1].path
    assert json.loads((three / "adapter_config.json").read_text())["r"] == 6
    for folder in (three, again):
        assert torch.allclose(answers(base, folder), answers(base, two), atol=1e-5)


@pytest.mark.parametrize("stacked", [False, True])
def test_an_interrupted_training_with_a_start_ends_the_same_to_the_bit(
    stacked: bool, base: Path, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**TRAINING, "start": str(first), "stacked": stacked}
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = fit(tmp_path / "whole", base, **given)[1]
        with monkeypatch.context() as during:
            during.setattr("rag_eval.adapt.lora._save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                fit(tmp_path / "parts", base, **given)
        resumed = fit(tmp_path / "parts", base, **given)[1]
    finally:
        torch.set_num_threads(n_threads)
    assert resumed.earlier_s > 0
    assert (resumed.path / WEIGHTS).read_bytes() == (whole.path / WEIGHTS).read_bytes()


def test_what_it_starts_from_decides_the_adapter_by_its_content(base: Path, first: Path, tmp_path: Path) -> None:
    kept = fit(tmp_path / "cache", base, start=str(first))[1]
    assert fit(tmp_path / "cache", base, start=shutil.copytree(first, tmp_path / "copy"))[1].path == kept.path
    manifest = tmp_path / "copy" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seconds":', '"seconds": 1, "took":'))
    assert fit(tmp_path / "cache", base, start=str(tmp_path / "copy"))[1].is_hit
    other = fit(tmp_path / "cache", base, seed=1)[1].path
    others = [fit(tmp_path / "cache", base, **given)[1] for given in ({"start": str(other)}, {"start": str(first), "stacked": True}, {})]
    assert none_of(one.is_hit for one in others)


def test_a_run_is_known_by_the_content_of_what_it_starts_from(first: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(first, tmp_path / "copy")
    changed = foreign(first, tmp_path / "changed", lora_dropout=0.5)
    given = [[f"adapter.start='{folder}'"] for folder in (first, copy, changed)]
    ids = [run_id(checked("mode=finetune", *one), DATASET, TRAIN) for one in (*given, [], [*given[0], "adapter.stacked=true"])]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rank": 3}, r"r is 2, adapter\.rank is 3"),
        ({"alpha": 3}, r"lora_alpha is 2, adapter\.alpha is 3"),
        ({"rank_stabilised": True}, r"use_rslora is False, adapter\.rank_stabilised is True"),
        ({"dora": True}, r"use_dora is False, adapter\.dora is True"),
        ({"target_modules": ["q_proj"]}, r"target_modules is all-linear, adapter\.target_modules is \['q_proj'\]"),
        ({"target_modules": ["q_proj"], "stacked": True}, r"target_modules is all-linear"),
    ],
)
def test_an_adapter_of_another_shape_is_refused_before_a_model_is_loaded(
    given: dict[str, Any], said: str, first: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        lora(tmp_path, start=str(first), **given)


def test_an_adapter_that_is_uneven_or_none_is_refused_before_a_model_is_loaded(first: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'rank_pattern' is set"):
        lora(tmp_path, start=str(foreign(first, tmp_path / "uneven", rank_pattern={"q_proj": 2})))
    with pytest.raises(DataError, match="found no adapter_config"):
        lora(tmp_path, start=str(tmp_path))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stacked": True, "start": None}, r"adapter\.stacked needs adapter\.start"),
        ({"init": "gaussian"}, r"so does adapter\.init=gaussian; use zero"),
        ({"stacked": True, "dora": True}, r"adapter\.stacked excludes adapter\.dora"),
    ],
)
def test_choices_that_exclude_one_another_are_refused(given: dict[str, Any], said: str, first: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        lora(tmp_path, **{"start": str(first), **given})


def test_an_adapter_of_another_model_is_refused_before_that_is_loaded(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = write_random_model(tmp_path / "other", seed=1)
    generator = hf(other)
    monkeypatch.setattr(generator, "base", None)
    with pytest.raises(DataError, match="trained for the model with fingerprint"):
        lora(tmp_path / "cache", start=str(first)).fit(generator, PROMPT, DATASET, 0)


@pytest.mark.parametrize("stacked", [False, True])
def test_one_of_others_goes_with_the_layers_that_it_names_and_no_others(stacked: bool, base: Path, tmp_path: Path) -> None:
    trained = fit(tmp_path / "cache", base, target_modules=["v_proj", "q_proj"])[1].path
    plain = foreign(trained, tmp_path / "random")
    kept = fit(tmp_path / "cache", base, target_modules=["q_proj", "v_proj"], start=str(plain), stacked=stacked, learning_rate=1e-12)[1]
    assert torch.allclose(answers(base, kept.path), answers(base, plain), atol=1e-5)
    lying = foreign(trained, tmp_path / "lying" / "random", target_modules=["q_proj", "v_proj", "k_proj"])
    with pytest.raises(DataError, match=r"expected the layers of adapter\.target_modules, but .*k_proj.* is only in one"):
        fit(tmp_path / "cache", base, target_modules=["q_proj", "v_proj", "k_proj"], start=str(lying), stacked=stacked)
