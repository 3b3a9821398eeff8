"""What an adapter was trained for is told by weights, by the hub's own folders and by shapes, never by what a folder is called."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from rag_eval.adapt.adapter_base import Base, check_fits, same_model
from rag_eval.errors import DataError
from rag_eval.models.model_files import fingerprint
from rag_eval.testing.models import SIZES, write_random_model
from tests.adapt.tiny_training import fit

COMMIT, LATER = "a" * 40, "b" * 40


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the same shapes and the same folder name, with other weights."""
    return write_random_model(tmp_path_factory.mktemp("others") / "random", seed=1)


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of ours, with the manifest that notes its model."""
    return fit(tmp_path_factory.mktemp("cache"), base)[1].path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def snapshot(hub: Path, model: Path, name: str = "org/model", commit: str = COMMIT) -> Path:
    """The model as the hub's cache keeps it."""
    top = hub / f"models--{name.replace('/', '--')}"
    (top / "refs").mkdir(parents=True, exist_ok=True)
    (top / "refs" / "main").write_text(commit)
    return Path(shutil.copytree(model, top / "snapshots" / commit))


def of_others(trained: Path, folder: Path, named: str | Path | None, revision: str | None = None) -> Path:
    """The adapter without our manifest, with a base model that it names."""
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("manifest.json"))
    path = folder / "adapter_config.json"
    stated = {**json.loads(path.read_text()), "base_model_name_or_path": named and str(named), "revision": revision}
    path.write_text(json.dumps(stated))
    return folder


def check(adapter: Path, model: Path | str, revision: str | None = None) -> None:
    check_fits(str(adapter), str(model), revision, fingerprint(model, revision))


def test_a_hub_model_is_the_same_by_id_as_a_snapshot_and_as_a_copy_of_it_under_any_name(
    hub: Path, base: Path, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = snapshot(hub, base)
    copied = Path(shutil.copytree(base, tmp_path / "my own"))
    (tmp_path / "link").symlink_to(kept)
    names: list[str | Path] = ["org/model", kept, copied, tmp_path / "link", f"/another/machine/models--org--model/snapshots/{COMMIT}"]
    for at, named in enumerate(names):
        adapter = of_others(trained, tmp_path / f"{at}", named)
        for model in ("org/model", kept, copied, tmp_path / "link"):
            check(adapter, model)
    assert caplog.text == ""


def test_an_adapter_of_ours_goes_with_its_model_from_the_hub_and_from_a_folder(hub: Path, base: Path, trained: Path) -> None:
    kept = snapshot(hub, base)
    for model in (kept, base, "org/model"):
        check(trained, model)


@pytest.mark.parametrize("named", ["hub id", "folder"])
def test_other_weights_are_refused_though_shapes_and_names_are_the_same(
    named: str, hub: Path, base: Path, other: Path, trained: Path, tmp_path: Path
) -> None:
    snapshot(hub, base)
    snapshot(hub, other, "org/another")
    adapter = of_others(trained, tmp_path / "adapter", "org/model" if named == "hub id" else base)
    with pytest.raises(DataError, match=r"trained for .*; generator\.model is .*random"):
        check(adapter, other)
    with pytest.raises(DataError, match=r"trained for .*; generator\.model is org/another\. Use the model that it was trained for"):
        check(adapter, "org/another")


def test_an_adapter_of_ours_is_refused_beside_other_weights(hub: Path, other: Path, trained: Path) -> None:
    for model in (other, snapshot(hub, other), "org/model", "org/missing"):
        with pytest.raises(DataError, match=r"trained for the model with fingerprint \w{64}, generator\.model="):
            check(trained, model)


def test_two_models_of_the_hub_that_are_not_here_are_told_apart_by_their_ids_and_revisions(
    trained: Path, tmp_path: Path, hub: Path
) -> None:
    adapter = of_others(trained, tmp_path / "adapter", "org/model", COMMIT)
    check(adapter, "org/model")
    check(adapter, "Org/Model", COMMIT)
    for model, revision in (("org/another", None), ("org/model", LATER)):
        with pytest.raises(DataError, match=f"trained for org/model at {COMMIT}; generator.model is {model}"):
            check(adapter, model, revision)


def test_revisions_of_the_same_weights_are_the_same_model(hub: Path, base: Path, other: Path) -> None:
    for commit, model in ((COMMIT, base), (LATER, base), ("c" * 40, other)):
        snapshot(hub, model, commit=commit)
    assert same_model(Base("org/model", COMMIT), Base("org/model", LATER)) is True
    assert same_model(Base("org/model", COMMIT), Base("org/model", "c" * 40)) is False


def test_where_it_cannot_be_told_a_line_says_so_and_shapes_decide(
    base: Path, trained: Path, tmp_path: Path, hub: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = of_others(trained, tmp_path / "adapter", "/elsewhere/base")
    with caplog.at_level(logging.WARNING):
        check(adapter, base)
    assert "trained for /elsewhere/base, which is not on this machine" in caplog.text
    wide = write_random_model(tmp_path / "base", config=LlamaConfig(**{**SIZES, "hidden_size": 64}))
    with pytest.raises(DataError, match=r"lora_\w\.weight is \[.*\], which does not fit"):
        check(adapter, wide)


def test_weights_are_compared_as_numbers_whatever_files_they_are_in(base: Path, tmp_path: Path) -> None:
    def saved(name: str, change: Any) -> Base:
        folder = Path(shutil.copytree(base, tmp_path / name))
        change(folder / "model.safetensors")
        return Base(str(folder), None)

    def shortened(path: Path) -> None:
        save_file({name: one.to(torch.bfloat16) for name, one in load_file(path).items()}, path)

    def widened(path: Path) -> None:
        shortened(path)
        save_file({name: one.float() for name, one in load_file(path).items()}, path)

    def divided(path: Path) -> None:
        names = sorted(weights := load_file(path))
        for at, those in enumerate((names[::2], names[1::2])):
            save_file({name: weights[name] for name in those}, path.with_name(f"model-0000{at}-of-00002.safetensors"))
        path.unlink()

    def moved(path: Path) -> None:
        weights = load_file(path)
        weights["model.norm.weight"][0] += 1e-3
        save_file(weights, path)

    whole = Base(str(base), None)
    assert same_model(whole, saved("divided", divided)) is True
    assert same_model(saved("short", shortened), saved("wide", widened)) is True
    assert same_model(whole, saved("shorter", shortened)) is False
    assert same_model(whole, saved("moved", moved)) is False


def test_a_head_that_is_the_embedding_has_its_shape(tmp_path: Path, trained: Path) -> None:
    tied = tmp_path / "tied"
    LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True)).save_pretrained(tied)
    adapter = of_others(trained, tmp_path / "adapter", tied)
    weights = load_file(adapter / "adapter_model.safetensors")
    head = {"lora_A": torch.ones(2, 32), "lora_B": torch.ones(3072, 2)}
    save_file(
        weights | {f"base_model.model.lm_head.{kind}.weight": one for kind, one in head.items()}, adapter / "adapter_model.safetensors"
    )
    check(adapter, tied)
