"""Selection of float32 or bfloat16 for generation: timed once per machine on matrix products of the model's shapes, then cached.

The result depends only on the machine and the model's sizes, so all arms on one machine use the same dtype. bfloat16 is less precise
and is used only if it is clearly faster, or if float32 weights would fill most of the memory. torch is imported only for timing.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rag_eval.machine import cpu_flags, cpu_name, gpus, has_gpu, memory_bytes, n_cores
from rag_eval.protocols import Cache

log = logging.getLogger(__name__)

AUTO = "auto"
Found = Literal["float32", "bfloat16"]
GAIN = 1.2  # minimum speed-up for bfloat16
N_NEW = 24  # assumed tokens of an answer
SHARE_OF_MEMORY = 0.5  # maximum share of the memory for float32 weights
MEASURED = 1  # version of the measurement, part of the cache key
FOUND = "dtype.json"


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network, from its configuration."""

    hidden: int
    inner: int  # width of the feed-forward layers
    heads: int  # total width of the query heads
    kv: int  # total width of the key heads
    vocabulary: int
    n_layers: int
    n_experts: int

    @property
    def n_parameters(self) -> int:
        attention = 2 * self.hidden * (self.heads + self.kv)
        return self.n_layers * (attention + 3 * self.n_experts * self.hidden * self.inner) + 2 * self.vocabulary * self.hidden


@dataclass(frozen=True)
class Selected:
    """A dtype and why it was selected, as it is cached."""

    dtype: Found
    why: str
    seconds: Mapping[str, float] = field(default_factory=dict)  # of an answer, by dtype; {} = not measured


def dtype_of(model: str, revision: str | None, device: str, cache: Cache | None) -> Found:
    """The dtype selected by `auto`.

    Args:
        model: hub id or local folder.
        revision: revision of a hub model.
        device: auto, cpu or cuda.
        cache: cache of the measurement; None = measure every time.

    Returns:
        "float32" or "bfloat16".
    """
    uses_gpu = device != "cpu" and has_gpu()
    folder = Path(model)
    key = {
        "model": asdict(sizes_of(_read(folder))) if folder.is_dir() else f"{model}@{revision}",
        "device": ["cuda", gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")] if uses_gpu else "cpu",
        "cpu": [cpu_name(), cpu_flags(), n_cores(), *(os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"))],
        "memory_gib": round((memory_bytes() or 0) / 2**30),
        "torch": version("torch"),
        "measured": MEASURED,
    }
    if cache is None:
        found = measured(model, revision, uses_gpu)
    else:
        kept = cache.build("dtype", key, lambda path: _write(path, measured(model, revision, uses_gpu)))
        found = Selected(**json.loads((kept.path / FOUND).read_text(encoding="utf-8")))
    log.warning("generator.dtype=auto is %s on this machine: %s", found.dtype, found.why)
    return found.dtype


def sizes_of(config: Mapping[str, Any]) -> Sizes:
    """Sizes of the text model, looked up under the names used by different model families."""
    text = config.get("text_config") or config

    def found(*names: str, otherwise: int) -> int:
        return next((int(text[name]) for name in names if isinstance(text.get(name), int)), otherwise)

    hidden = found("hidden_size", "n_embd", "d_model", otherwise=1024)
    n_heads = found("num_attention_heads", "n_head", "num_heads", otherwise=1)
    size = found("head_dim", otherwise=hidden // n_heads)
    return Sizes(
        hidden,
        found("intermediate_size", "n_inner", "ffn_dim", "d_ff", otherwise=4 * hidden),
        n_heads * size,
        found("num_key_value_heads", otherwise=n_heads) * size,
        found("vocab_size", otherwise=0),
        found("num_hidden_layers", "n_layer", "num_layers", otherwise=1),
        found("num_local_experts", "num_experts", "n_routed_experts", otherwise=1),
    )


def measured(model: str, revision: str | None, uses_gpu: bool) -> Selected:
    """Select a dtype by measurement.

    Args:
        model: hub id or local folder.
        revision: revision of a hub model.
        uses_gpu: whether the model runs on a GPU.

    Returns:
        The dtype.
    """
    from rag_eval.device import choose_device, faster_dtype  # torch

    if uses_gpu and choose_device("auto").type == "cuda":
        found = faster_dtype("cuda")
        return Selected(found, f"large products are {'' if found == 'bfloat16' else 'not '}clearly faster in bfloat16")
    sizes, memory = _sizes(model, revision), memory_bytes()
    if memory is not None and 4 * sizes.n_parameters > SHARE_OF_MEMORY * memory:
        return Selected("bfloat16", f"float32 weights would take {4 * sizes.n_parameters / memory:.0%} of the memory")
    seconds = {name: answer_seconds(sizes, name) for name in ("float32", "bfloat16")}
    dtype: Found = "bfloat16" if seconds["float32"] > GAIN * seconds["bfloat16"] else "float32"
    told = ", ".join(f"{name} {one:.3g} s" for name, one in seconds.items())
    return Selected(dtype, f"products of an answer of {N_NEW} tokens take {told}", seconds)


def answer_seconds(sizes: Sizes, dtype: str) -> float:
    """Estimated seconds of the matrix products of one answer: reading its prompt and writing its tokens within a batch."""
    import torch

    from rag_eval.generate.products import READ, WRITE, chosen, seconds

    shapes = {(sizes.heads + 2 * sizes.kv + sizes.hidden, sizes.hidden): 1, (sizes.inner, sizes.hidden): 2, (sizes.hidden, sizes.inner): 1}

    def of_layer(n_rows: int) -> float:
        took = {shape: seconds(getattr(torch, dtype), *shape, n_rows) for shape in shapes}
        return sum(n * took[shape][chosen(took[shape])] for shape, n in shapes.items())

    return sizes.n_layers * (of_layer(READ) + N_NEW / WRITE * of_layer(WRITE))


def _sizes(model: str, revision: str | None) -> Sizes:
    if Path(model).is_dir():
        return sizes_of(_read(Path(model)))
    from rag_eval.generate.hf_checkpoint import Checkpoint

    return sizes_of(Checkpoint(model, revision).config().to_dict())


def _read(folder: Path) -> dict[str, Any]:
    """Configuration of a model; {} if it is missing, which loading the model reports."""
    try:
        found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _write(folder: Path, found: Selected) -> None:
    (folder / FOUND).write_text(json.dumps(asdict(found)), encoding="utf-8")
