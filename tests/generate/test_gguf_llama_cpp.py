"""GGUF files against llama.cpp itself: the ids of texts, the values of weights, what models answer."""

from __future__ import annotations

import ctypes
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, dequantize
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from rag_eval.generate.gguf.architecture import ARCHITECTURES
from rag_eval.generate.gguf.file import GGUF, read
from rag_eval.generate.gguf.folder import dequantised
from rag_eval.generate.gguf.tokenizer import CUTTINGS, tokenizer, vocabulary
from rag_eval.generate.gguf.weights import FORMATS, values
from rag_eval.models.smollm2_wheel import smollm2_path
from rag_eval.record.cache import DirectoryCache
from tests.commands import Ended
from tests.generate.gguf_models import HEADS, SPECIAL, USER_DEFINED, WIDTH, write_gguf
from tests.generate.mixed_texts import mixed_texts

llama_cpp = pytest.importorskip("llama_cpp", reason="needs llama-cpp-python, which pip compiles")
pytestmark = pytest.mark.slow

QUESTIONS = (
    "What is the capital of France?", "Name three primary colours.", "What is 12 plus 30?", "Who wrote Hamlet?",
    "[1] Title: Lake\nLake Orin is 12 km long.\n\nHow long is Lake Orin?", "Write one sentence about rivers.",
)  # fmt: skip
N_NEW = 24
PROBE = "a{c}b1{c}2 {c} !{c}!  {c}  \n{c}\n1'{c}{c}s"  # a character beside others of each kind
ASSIGNED = [one for one in (*range(0x323B0), *range(0xE0000, 0xE0200)) if not 0xD800 <= one <= 0xDFFF]  # planes with characters
# Code points of Unicode 16, which tokenizers 0.23 knows and llama.cpp of llama-cpp-python 0.3.36 does not: digits and punctuation.
NEW_DIGITS = {*range(0x10D40, 0x10D4A), *range(0x116D0, 0x116E4), *range(0x11BF0, 0x11BFA), *range(0x16130, 0x1613A)}
NEW_DIGITS |= {*range(0x16D70, 0x16D7A), *range(0x1CCF0, 0x1CCFA), *range(0x1E5F1, 0x1E5FB)}
NEW_MARKS = {0x1B4E, 0x1B4F, 0x1B7F, 0x10D6E, 0x113D4, 0x113D5, 0x113D7, 0x113D8, 0x11BE1, *range(0x16D6D, 0x16D70), 0x1E5FF}


def of_llama_cpp(path: Path, **given: Any) -> Any:
    return llama_cpp.Llama(str(path), verbose=False, n_threads=1, **given)


def with_logits(path: Path) -> Any:
    """In float32 as far as it allows: with quantised weights it also rounds what they are multiplied with to 8 bits."""
    return of_llama_cpp(path, n_ctx=512, logits_all=True, type_k=0, type_v=0, flash_attn=False)


def different(ours: Tokenizer, theirs: Any, texts: list[str], parses_special: bool) -> list[str]:
    """Texts that get other ids."""
    ours.encode_special_tokens = not parses_special
    found = ours.encode_batch(texts)
    ids = (theirs.tokenize(text.encode(), add_bos=True, special=parses_special) for text in texts)
    return [text for text, one, other in zip(texts, found, ids, strict=True) if one.ids != other]


def tokenizers_of(path: Path) -> tuple[Tokenizer, Any, GGUF]:
    file = read(path)
    return tokenizer(vocabulary(file), file), of_llama_cpp(path, vocab_only=True), file


@pytest.mark.parametrize("parses_special", [True, False])
def test_smollm2_gets_the_same_ids_on_a_thousand_texts(parses_special: bool) -> None:
    ours, theirs, _ = tokenizers_of(Path(smollm2_path()))
    texts = mixed_texts(1000, 0, (*SPECIAL, "<repo_name>", "<filename>"))
    assert different(ours, theirs, texts, parses_special) == []


def test_the_table_of_the_fast_test_is_what_llama_cpp_says() -> None:
    theirs = of_llama_cpp(Path(smollm2_path()), vocab_only=True)
    for text, ids, as_text in json.loads((Path(__file__).parent / "smollm2_ids.json").read_text(encoding="utf-8")):
        assert theirs.tokenize(text.encode(), add_bos=True, special=True) == ids
        assert theirs.tokenize(text.encode(), add_bos=True, special=False) == as_text


def test_smollm2_gets_the_same_ids_for_every_character_that_both_know() -> None:
    ours, theirs, _ = tokenizers_of(Path(smollm2_path()))
    texts = {PROBE.replace("{c}", chr(one)): one for one in ASSIGNED}
    assert {texts[text] for text in different(ours, theirs, list(texts), True)} == NEW_DIGITS


@pytest.mark.parametrize("pre", CUTTINGS)
def test_every_way_of_cutting_gives_the_same_ids(pre: str, tmp_path: Path) -> None:
    ours, theirs, file = tokenizers_of(write_gguf(tmp_path / "model.gguf", pre=pre))
    is_nfc = vocabulary(file).cutting.is_nfc
    texts = mixed_texts(500, 2, (*SPECIAL, USER_DEFINED)) + [PROBE.replace("{c}", chr(one)) for one in ASSIGNED[::7]]
    texts = [text for text in texts if not is_nfc or unicodedata.is_normalized("NFC", text)]
    unknown = {chr(one) for one in NEW_DIGITS | NEW_MARKS}
    assert len(texts) > 10_000
    for parses_special in (True, False):
        assert [text for text in different(ours, theirs, texts, parses_special) if unknown.isdisjoint(text)] == []


@pytest.mark.parametrize("adds_bos", [True, None])
@pytest.mark.parametrize("pre", CUTTINGS)
def test_the_same_tokens_are_added_to_a_text(pre: str, adds_bos: bool | None, tmp_path: Path) -> None:
    key = "tokenizer.ggml.add_bos_token"
    path = write_gguf(tmp_path / "model.gguf", pre=pre, metadata={key: adds_bos} if adds_bos else {}, without=[] if adds_bos else [key])
    ours, theirs, _ = tokenizers_of(path)
    assert different(ours, theirs, ["a 1", "<|im_start|>x"], True) == []


def ggml_values(raw: NDArray[np.uint8], n: int, format: str) -> NDArray[np.float32]:
    """What ggml's own code makes of the bytes of n values."""
    library = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    out = np.empty(n, np.float32)
    special = {"F16": "ggml_fp16_to_fp32_row", "BF16": "ggml_bf16_to_fp32_row"}
    function = library[special.get(format, f"dequantize_row_{format.lower().replace('_k', '_K')}")]
    pointers = np.ascontiguousarray(raw).ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p)
    function(*pointers, ctypes.c_int64(n))
    return out


@pytest.mark.parametrize("format", [one for one in FORMATS if one != "F32"])
def test_values_are_those_of_ggml(format: str, tmp_path: Path) -> None:
    file = read(write_gguf(tmp_path / "model.gguf", formats={"ffn_down": format}))
    tensor = file.tensors["blk.0.ffn_down.weight"]
    ours = values(file, tensor)
    raw = file.data(tensor, GGML_QUANT_SIZES[GGMLQuantizationType[format]])
    np.testing.assert_array_equal(ours.ravel(), ggml_values(raw, ours.size, format))


def logits(network: Any, ids: list[int]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = network(torch.tensor([ids])).logits[0].numpy()
    return found


def logits_of_llama_cpp(theirs: Any, ids: list[int]) -> NDArray[np.float32]:
    theirs.reset()
    theirs.eval(ids)
    return np.array(theirs.scores[: len(ids)])


DIVISORS = {"rope_freqs.weight": np.linspace(1, 8, WIDTH // HEADS // 2, dtype=np.float32)}
MODELS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ARCHITECTURES),
    ("llama", {"tied": False}),
    ("llama", {"more": DIVISORS}),
    ("qwen3", {"metadata": {"qwen3.rope.freq_base": 1e6, "qwen3.attention.layer_norm_rms_epsilon": 1e-6}}),
]


@pytest.mark.parametrize(("architecture", "given"), MODELS)
def test_a_model_of_float32_weights_computes_the_same(architecture: str, given: dict[str, Any], tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", architecture, **given)
    network = AutoModelForCausalLM.from_pretrained(dequantised(str(path), None, DirectoryCache(str(tmp_path))).folder).eval()
    ids = list(range(5, 505))
    ours, theirs = logits(network, ids), logits_of_llama_cpp(with_logits(path), ids)
    assert np.abs(theirs).max() > 5
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, list[tuple[list[int], list[int]]]]:
    """Tokenizer and network of SmolLM2, and ids of prompts with those of its answers."""
    folder = dequantised(smollm2_path(), None, DirectoryCache(str(tmp_path_factory.mktemp("smollm2")))).folder
    words, network = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    asked = [[{"role": "user", "content": question}] for question in QUESTIONS]
    texts = [words.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in asked]
    answered = []
    for ids in words(texts)["input_ids"]:
        out = network.generate(torch.tensor([ids]), max_new_tokens=N_NEW, do_sample=False)
        answered.append((ids, out[0, len(ids) :].tolist()))
    return words, network, answered


def in_float32(source: str, target: Path) -> Path:
    """The same file, its weights dequantised by gguf."""
    reader, writer = GGUFReader(source), GGUFWriter(target, "llama")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in ("general.architecture", "general.file_type"):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def test_smollm2_answers_as_llama_cpp_does_with_the_same_values(smollm2: Any, tmp_path: Path) -> None:
    _, network, answered = smollm2
    theirs = with_logits(in_float32(smollm2_path(), tmp_path / "float32.gguf"))
    for ids, answer in answered:
        found = logits_of_llama_cpp(theirs, ids + answer)
        np.testing.assert_allclose(logits(network, ids + answer), found, atol=1e-3)
        assert found[len(ids) - 1 : -1].argmax(-1).tolist() == answer


def test_smollm2_is_close_to_llama_cpp_that_also_rounds_what_weights_are_multiplied_with(smollm2: Any) -> None:
    _, network, answered = smollm2
    theirs, divergences, agree = with_logits(Path(smollm2_path())), [], []
    for ids, answer in answered:
        both = logits(network, ids + answer), logits_of_llama_cpp(theirs, ids + answer)
        ours, other = (torch.tensor(one[len(ids) - 1 : -1]).double().log_softmax(-1) for one in both)
        divergences += (ours.exp() * (ours - other)).sum(-1).tolist()
        agree += (ours.argmax(-1) == other.argmax(-1)).tolist()
    assert np.mean(divergences) < 0.01  # seen: 0.004 nats, the largest 0.043
    assert np.mean(agree) > 0.9  # seen: 0.962 of 105 tokens


def test_smollm2_runs_from_the_command_line(command: Callable[..., Ended]) -> None:
    ended = command(
        "mode=rag", "generator=smollm2", "dataset.preset=ci", "limit=2", "prompt.style=chat", "prompt.n_exemplars=0", "n_probe=0"
    )
    assert ended.code == 0, ended.err
    assert ended.record["facts"]["base_weights"]["formats"] == {"Q4_1": 210, "F32": 61, "Q8_0": 1}
