"""`dtype=auto` is the number format that this machine is clearly faster with: measured once, kept, and never part of a record as `auto`."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rag_eval.generate import auto_dtype
from rag_eval.generate.auto_dtype import Selected, Sizes, answer_seconds, dtype_of, sizes_of
from rag_eval.generate.hf import HF
from rag_eval.record.cache import DirectoryCache
from rag_eval.testing.models import write_random_model
from tests.claims import every
from tests.commands import Ended

SMOLLM2 = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "num_hidden_layers": 30,
    "vocab_size": 49152,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


def faster(monkeypatch: pytest.MonkeyPatch, times: float) -> list[str]:
    """A machine on which bfloat16 is so many times as fast; what comes back counts the measurements."""
    asked: list[str] = []
    monkeypatch.setattr(auto_dtype, "answer_seconds", lambda _, dtype: asked.append(dtype) or (times if dtype == "float32" else 1.0))
    return asked


@pytest.mark.parametrize(("times", "expected"), [(2.0, "bfloat16"), (1.1, "float32"), (0.6, "float32")])
def test_bfloat16_is_taken_only_where_it_is_clearly_faster(
    times: float, expected: str, model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faster(monkeypatch, times)
    with caplog.at_level(logging.WARNING):
        assert dtype_of(str(model), None, "cpu", None) == expected
    (line,) = [one.getMessage() for one in caplog.records]
    assert line == (
        f"generator.dtype=auto is {expected} on this machine: products of an answer of 24 tokens take float32 {times:.3g} s, bfloat16 1 s"
    )


def test_another_gpu_in_the_same_machine_is_measured_for_itself(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, cache = [Selected("bfloat16", "it is faster")], DirectoryCache(str(tmp_path / "cache"))
    monkeypatch.setattr(auto_dtype, "has_gpu", lambda: True)
    monkeypatch.setattr(auto_dtype, "measured", lambda *_: found[-1])
    monkeypatch.setattr(auto_dtype, "gpus", lambda: ["NVIDIA H200"])
    assert dtype_of(str(model), None, "auto", cache) == "bfloat16"
    found.append(Selected("float32", "it is no slower"))
    assert dtype_of(str(model), None, "auto", cache) == "bfloat16"
    monkeypatch.setattr(auto_dtype, "gpus", lambda: ["Tesla V100"])
    assert dtype_of(str(model), None, "auto", cache) == "float32"


def test_what_was_measured_is_kept_for_the_machine_and_the_sizes(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, cache = faster(monkeypatch, 2.0), DirectoryCache(str(tmp_path / "cache"))
    assert dtype_of(str(model), None, "cpu", cache) == "bfloat16"
    faster(monkeypatch, 0.5)
    assert dtype_of(str(model), None, "cpu", cache) == "bfloat16"  # although it would come out otherwise now
    other = write_random_model(tmp_path / "other", seed=1)
    assert dtype_of(str(other), None, "cpu", cache) == "bfloat16"  # of the same sizes
    assert asked == ["float32", "bfloat16"]
    with monkeypatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "7")
        assert dtype_of(str(model), None, "cpu", cache) == "float32"
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    assert dtype_of(str(other), None, "cpu", cache) == "float32"


def test_float32_weights_that_would_fill_the_memory_are_not_chosen(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = faster(monkeypatch, 0.5)
    n_bytes = 4 * sizes_of(json.loads((model / "config.json").read_text())).n_parameters
    monkeypatch.setattr(auto_dtype, "memory_bytes", lambda: 2 * n_bytes - 1)
    assert dtype_of(str(model), None, "cpu", None) == "bfloat16"
    assert asked == []
    monkeypatch.setattr(auto_dtype, "memory_bytes", lambda: 2 * n_bytes)
    assert dtype_of(str(model), None, "cpu", None) == "float32"


def test_sizes_are_found_under_the_names_of_several_families() -> None:
    assert sizes_of(SMOLLM2) == Sizes(576, 1536, 576, 192, 49152, 30, 1)
    assert sizes_of({"text_config": SMOLLM2, "vision_config": {"hidden_size": 9}}) == sizes_of(SMOLLM2)
    assert sizes_of({"n_embd": 64, "n_head": 4, "n_layer": 2, "vocab_size": 9, "n_inner": None}) == Sizes(64, 256, 64, 64, 9, 2, 1)
    assert sizes_of({**SMOLLM2, "head_dim": 128, "num_local_experts": 8}).heads == 9 * 128
    assert sizes_of(SMOLLM2).n_parameters == pytest.approx(135e6 + 49152 * 576, rel=0.01)  # the head counted, which is tied
    assert sizes_of({**SMOLLM2, "num_local_experts": 8}).n_parameters > 5e8


def test_measuring_takes_no_longer_than_a_second_or_two() -> None:
    begun = time.process_time()
    found = {dtype: answer_seconds(sizes_of(SMOLLM2), dtype) for dtype in ("float32", "bfloat16")}
    assert time.process_time() - begun < 4.0  # on a busy machine
    assert every(0 < one < 60 for one in found.values())
    large = {**SMOLLM2, "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8}
    assert answer_seconds(sizes_of(large), "float32") > 10 * found["float32"]


def test_a_generator_has_a_dtype_of_torch(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faster(monkeypatch, 2.0)
    generator = HF(str(model), "auto", "cpu", 8, 4096)
    assert generator.dtype == generator.identity()["dtype"] == "bfloat16"
    assert generator._network.dtype == torch.bfloat16
    assert generator.with_adapters({}, "x")._generator.dtype == "bfloat16"  # type: ignore[attr-defined]


def test_a_run_is_known_by_the_dtype_and_every_arm_has_the_same(
    command: Callable[..., Ended], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = faster(monkeypatch, 2.0)
    auto = ("generator=hf", f"generator.model={model}", "generator.max_new_tokens=2", "dataset.preset=ci", "limit=4", "n_probe=0")
    first = command("mode=closed_book", *auto)
    assert first.code == 0, first.err
    faster(monkeypatch, 0.5)
    other = command("mode=oracle", *auto)
    assert first.record["facts"]["comparison"]["dtype"] == other.record["facts"]["comparison"]["dtype"] == "bfloat16"
    assert first.record["facts"]["choices"]["generator.dtype"] == "bfloat16"
    assert asked == ["float32", "bfloat16"]
    named = command("mode=closed_book", *auto, "generator.dtype=bfloat16")
    assert named.record["run_id"] == first.record["run_id"]  # the same run, which is not made again


def test_what_is_known_is_read_without_torch(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    dtype_of(str(model), None, "cpu", DirectoryCache(str(cache)))
    asked = (
        "import sys; from rag_eval.generate.auto_dtype import dtype_of; from rag_eval.record.cache import DirectoryCache; "
        f"dtype_of({str(model)!r}, None, 'cpu', DirectoryCache({str(cache)!r})); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60).stdout.split() == ["False"]
