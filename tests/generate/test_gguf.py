"""GGUF files as models: an ordinary folder with the values that the file stands for, or one line that says what is wrong."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader, dequantize
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from rag_eval.errors import ConfigError, DataError, EnvironmentFault, RagEvalError
from rag_eval.generate.gguf import folder as gguf_folder
from rag_eval.generate.gguf.architecture import ARCHITECTURES, config
from rag_eval.generate.gguf.file import read
from rag_eval.generate.gguf.folder import Dequantised, dequantised
from rag_eval.generate.gguf.tokenizer import CUTTINGS, tokenizer, vocabulary
from rag_eval.generate.gguf.weights import FORMATS, check_shapes
from rag_eval.generate.hf import HF
from rag_eval.models.model_files import fingerprint
from rag_eval.record.cache import DirectoryCache
from rag_eval.types import Prompt
from tests.claims import every, none_of
from tests.commands import Ended
from tests.generate.gguf_models import HEADS, KEY_HEADS, LAYERS, TEMPLATE, WIDTH, write_gguf

QUICK = ("generator=hf", "dataset.preset=ci", "limit=3", "prompt.style=plain", "prompt.n_exemplars=0", "n_probe=0", "n_forgetting=0")
HALF = WIDTH // HEADS // 2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "random.gguf", formats={"ffn_down": "Q4_1", "token_embd": "Q8_0"})


def made(model: Path, sha256: str | None = None) -> Dequantised:
    return dequantised(str(model), sha256, DirectoryCache(str(model.parent / "cache")))


def hf(model: Path, **given: Any) -> HF:
    cache = DirectoryCache(str(model.parent / "cache"))
    return HF(str(model), dtype="float32", device="cpu", max_new_tokens=8, token_budget=4096, cache=cache, **given)


def refusal(model: Path) -> str:
    """What is said of a file; nothing of it stays in the cache."""
    with pytest.raises(DataError) as refused:
        made(model)
    assert not [path for path in (model.parent / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert "\n" not in str(refused.value)
    return str(refused.value)


def reverse_of_interleaving(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """Row by row: of a head, the first half of a pair of neighbours goes to the first half of the rows."""
    size = rows.shape[0] // n_heads
    places = [head * size + 2 * (at % (size // 2)) + at // (size // 2) for head in range(n_heads) for at in range(size)]
    return rows[places]


def test_a_gguf_file_becomes_an_ordinary_folder_of_transformers(model: Path) -> None:
    folder = Path(made(model).folder)
    network = AutoModelForCausalLM.from_pretrained(folder)
    names = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert names <= {path.name for path in folder.iterdir()}
    assert network.lm_head.weight.data_ptr() == network.model.embed_tokens.weight.data_ptr()
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert network.generation_config.eos_token_id == [2, 0]
    assert AutoTokenizer.from_pretrained(folder).chat_template == TEMPLATE


def test_weights_of_the_output_that_a_file_holds_are_not_tied(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "untied.gguf", tied=False)
    network = AutoModelForCausalLM.from_pretrained(made(path).folder)
    (output,) = (one.data for one in GGUFReader(path).tensors if one.name == "output.weight")
    assert not network.config.tie_word_embeddings
    np.testing.assert_array_equal(network.lm_head.weight.detach().numpy(), output)


def test_the_header_says_what_the_reader_of_gguf_reads(model: Path) -> None:
    ours, theirs = read(model), GGUFReader(model)
    assert dict(ours.metadata) == {key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert {name: (one.shape, one.type, one.start) for name, one in ours.tensors.items()} == {
        one.name: (tuple(reversed(one.shape.tolist())), one.tensor_type.value, one.data_offset) for one in theirs.tensors
    }


@pytest.mark.parametrize("format", FORMATS)
def test_the_values_are_those_that_gguf_dequantises(format: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", formats={"attn_q.weight": format, "attn_k.weight": format, "ffn_down": format})
    found = load_file(Path(made(path).folder) / "model.safetensors")
    wanted = {one.name: dequantize(one.data, one.tensor_type) for one in GGUFReader(path).tensors}
    layer = "model.layers.1"
    np.testing.assert_array_equal(found[f"{layer}.mlp.down_proj.weight"], wanted["blk.1.ffn_down.weight"])
    np.testing.assert_array_equal(found[f"{layer}.self_attn.v_proj.weight"], wanted["blk.1.attn_v.weight"])
    np.testing.assert_array_equal(found[f"{layer}.self_attn.q_proj.weight"], reverse_of_interleaving(wanted["blk.1.attn_q.weight"], HEADS))
    np.testing.assert_array_equal(
        found[f"{layer}.self_attn.k_proj.weight"], reverse_of_interleaving(wanted["blk.1.attn_k.weight"], KEY_HEADS)
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_of_an_architecture_has_its_place(architecture: str, tmp_path: Path) -> None:
    folder = made(write_gguf(tmp_path / "model.gguf", architecture)).folder
    _, loading = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert none_of(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert AutoConfig.from_pretrained(folder).model_type == architecture


def test_divisors_of_frequencies_turn_positions_more_slowly(tmp_path: Path) -> None:
    divisors = np.linspace(1, 8, HALF, dtype=np.float32)
    path = write_gguf(tmp_path / "model.gguf", more={"rope_freqs.weight": divisors})
    rotary = AutoModelForCausalLM.from_pretrained(made(path).folder).model.rotary_emb
    np.testing.assert_allclose(rotary.inv_freq.numpy() * divisors, 10000.0 ** (-np.arange(HALF) / HALF), rtol=1e-6)
    assert rotary.attention_scaling == 1.0


def test_a_file_is_dequantised_once(model: Path) -> None:
    weights = Path(made(model).folder) / "model.safetensors"
    written = weights.stat().st_mtime_ns
    assert Path(made(model).folder) / "model.safetensors" == weights
    assert weights.stat().st_mtime_ns == written


def test_a_gguf_file_answers_as_its_folder_does(model: Path) -> None:
    prompts = [Prompt((("system", "Be brief."), ("user", text)), text, "") for text in ("What is 1?", "\n\n2. Who?")]
    answers = hf(model).generate(prompts)
    again = HF(made(model).folder, dtype="float32", device="cpu", max_new_tokens=8, token_budget=4096).generate(prompts)
    assert [one.text for one in answers] == [one.text for one in again]
    assert every(one.n_output_tokens for one in answers)


def test_the_identity_says_what_the_weights_were_made_of(model: Path) -> None:
    generator = hf(model)
    identity = generator.with_adapter(str(model.parent)).identity()
    assert identity["base_weights"] == {
        "format": "GGUF",
        "sha256": fingerprint(model),
        "formats": {"F32": 9 * LAYERS + 1 - LAYERS, "Q4_1": LAYERS, "Q8_0": 1},
        "dequantised_to": "float32",
    }
    assert identity["base_model"] == fingerprint(generator.model)
    assert HF(generator.model, dtype="float32", device="cpu", max_new_tokens=8, token_budget=4096).identity()["base_weights"] is None


def test_a_file_with_another_hash_is_refused(model: Path) -> None:
    assert made(model, fingerprint(model))
    with pytest.raises(DataError, match=f"expected sha256 {'0' * 64}, found {fingerprint(model)}"):
        hf(model, sha256="0" * 64)


def test_a_hash_without_a_gguf_file_is_refused(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"generator\.sha256 pins a GGUF file"):
        HF(made(model).folder, dtype="float32", device="cpu", max_new_tokens=8, token_budget=4096, sha256="0" * 64)


def test_without_a_cache_a_gguf_file_is_refused(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"generator\.cache"):
        HF(str(model), dtype="float32", device="cpu", max_new_tokens=8, token_budget=4096)


def test_a_missing_package_names_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(gguf_folder, "version", missing)
    with pytest.raises(EnvironmentFault, match=r"pip install 'rag_eval\[offline\]'"):
        made(model)


def test_a_folder_that_holds_a_gguf_file_alone_names_it(model: Path, tmp_path: Path) -> None:
    shutil.copy(model, tmp_path / "model.gguf")
    with pytest.raises(DataError, match=r"found model\.gguf\. Give that file itself\."):
        hf(tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"architecture": "gemma"}, "the architecture 'gemma' is not supported; supported: llama, qwen2, qwen3"),
        ({"formats": {"ffn_down": "TQ2_0"}}, "blk.0.ffn_down.weight is of the format TQ2_0; supported: F32"),
        ({"metadata": {"llama.expert_count": 4}}, "llama.expert_count=4 is not supported"),
        ({"metadata": {"llama.rope.scaling.type": "yarn"}}, "llama.rope.scaling.type=yarn is not supported"),
        ({"metadata": {"llama.rope.dimension_count": 32}}, "rope.dimension_count is 32, a head has 64 values"),
        ({"metadata": {"llama.block_count": 3}}, "9 weights are missing (first: blk.2.attn_k.weight)"),
        ({"metadata": {"llama.feed_forward_length": 500}}, "blk.0.ffn_gate.weight is [512, 256], the metadata want [500, 256]"),
        ({"metadata": {"llama.attention.head_count": 0}}, "llama.attention.head_count is 0; expected a number above 0"),
        (
            {"metadata": {"llama.attention.layer_norm_rms_epsilon": float("nan")}},
            "layer_norm_rms_epsilon is nan; expected a number above 0",
        ),
        ({"metadata": {"llama.attention.head_count": 3}}, "3 heads of 85 values over 2 of keys do not fit"),
        ({"metadata": {"llama.attention.head_count": 256}}, "256 heads of 1 values over 2 of keys do not fit"),
        ({"metadata": {"llama.block_count": 2**32 - 1}}, "4294967295 layers, but 20 weights in all"),
        ({"without": ["llama.context_length"]}, "llama.context_length is None; expected a number above 0"),
        ({"without": ["blk.1.ffn_up.weight"]}, "1 weights are missing (first: blk.1.ffn_up.weight)"),
        ({"more": {"blk.0.attn_q.bias": np.zeros(WIDTH, np.float32)}}, "1 weights are not supported (first: blk.0.attn_q.bias)"),
        ({"more": {"rope_freqs.weight": np.ones(5, np.float32)}}, "rope_freqs.weight holds 5 numbers; expected 32 above 0"),
        ({"more": {"output_norm.weight": np.full(WIDTH, np.nan, np.float32)}}, "the weight output_norm.weight is not finite"),
        ({"metadata": {"tokenizer.ggml.model": "llama"}}, "its tokenizer is 'llama'; supported: 'gpt2'"),
        ({"pre": "tekken"}, f"its pre-tokenizer is 'tekken'; supported: {', '.join(CUTTINGS)}"),
        ({"without": ["tokenizer.ggml.eos_token_id"]}, "names no tokenizer.ggml.eos_token_id"),
        ({"metadata": {"tokenizer.ggml.bos_token_id": 99999}}, "tokenizer.ggml.bos_token_id is 99999, of 2500 tokens"),
        ({"metadata": {"tokenizer.ggml.token_type": [1, 2]}}, "2500 tokens, 2500 of them different, 2 types"),
        ({"metadata": {"tokenizer.ggml.merges": ["zz qq"]}}, "the merges of its tokenizer do not go with its tokens"),
        ({"metadata": {"split.count": 3}}, "one of 3 parts of a model"),
    ],
)
def test_what_is_not_supported_or_does_not_fit_is_refused_by_name(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert said in refusal(write_gguf(tmp_path / "model.gguf", **given))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"")
    assert "found an empty one" in refusal(tmp_path / "model.gguf")
    (tmp_path / "model.gguf").write_bytes(b"PK\3\4" * 20)
    assert "does not begin with GGUF" in refusal(tmp_path / "model.gguf")
    (tmp_path / "model.gguf").write_bytes(b"GGUF\1\0\0\0" + bytes(64))
    assert "GGUF version 1; expected 2 or 3" in refusal(tmp_path / "model.gguf")
    assert "there is no such file" in refusal(tmp_path / "other.gguf")


def test_a_file_that_is_cut_short_is_refused_wherever_it_is_cut(model: Path, tmp_path: Path) -> None:
    whole, cut = model.read_bytes(), tmp_path / "cut.gguf"
    for size in (*range(4, 4000, 331), read(model).tensors["blk.0.attn_norm.weight"].start - 1, len(whole) - 40_000):
        cut.write_bytes(whole[:size])
        assert "Get the file again." in refusal(cut)


def test_a_file_with_changed_bytes_is_read_or_refused_and_never_a_bug(model: Path, tmp_path: Path) -> None:
    whole, changed, rng = model.read_bytes(), tmp_path / "changed.gguf", random.Random(0)
    refused: list[str] = []
    for _ in range(60):
        found = bytearray(whole)
        for _ in range(rng.choice((1, 1, 1, 20))):
            found[rng.choice((rng.randrange(800), rng.randrange(70_000)))] = rng.randrange(256)
        changed.write_bytes(found)
        try:
            file = read(changed)
            said = vocabulary(file)
            tokenizer(said, file)
            check_shapes(file, config(file, None), len(said.tokens))
        except RagEvalError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert none_of("\n" in one for one in refused)


def test_no_room_for_the_weights_is_a_fault_of_the_machine(model: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copy(model, tmp_path / "copied.gguf"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(EnvironmentFault, match="the disk is full"):
            made(copied)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_run_records_what_its_weights_were_made_of(model: Path, command: Callable[..., Ended]) -> None:
    ended = command("mode=rag", "retriever=bm25", *QUICK, f"generator.model={model}")
    assert ended.code == 0, ended.err
    assert ended.record["facts"]["base_weights"]["sha256"] == fingerprint(model)
    assert ended.record["facts"]["base_weights"]["formats"]["Q4_1"] == LAYERS


def test_a_broken_file_ends_a_run_with_one_line_and_code_2(tmp_path: Path, command: Callable[..., Ended]) -> None:
    write_gguf(tmp_path / "model.gguf", pre="tekken")
    ended = command("mode=rag", "retriever=bm25", *QUICK, "generator.model=model.gguf")
    assert ended.code == 2
    assert "its pre-tokenizer is 'tekken'" in ended.err
    assert "Traceback" not in ended.err


def test_an_adapter_is_trained_over_a_gguf_file_and_goes_with_no_other(model: Path, tmp_path: Path, command: Callable[..., Ended]) -> None:
    small = ["adapter.epochs=0.005", "adapter.rank=2", "adapter.batch_size=2", "adapter.data.reading_share=0"]
    ended = command("mode=finetune", *QUICK, *small, f"generator.model={model}")
    assert ended.code == 0, ended.err
    (adapter,) = (path.parent for path in Path("cache").rglob("adapter_config.json"))
    noted = json.loads((adapter / "manifest.json").read_text())["key"]["base_model"]
    assert noted == ended.record["facts"]["comparison"]["base_model"]
    other = write_gguf(tmp_path / "other.gguf", seed=1)
    refused = command("mode=finetune", *QUICK, "adapter=given", f"adapter.path={adapter}", f"generator.model={other}")
    assert refused.code == 2
    assert noted in refused.err
