"""What a run is: the hash of everything that decides its result, and the circumstances recorded beside it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rag_eval import model_folder
from rag_eval.machine import cpu_name, has_gpu, n_cores
from rag_eval.record.serial import sha256_of
from rag_eval.run_spec import Role, RunSpec, to_config
from rag_eval.score.primary import GROUP
from rag_eval.source import source_sha
from rag_eval.types import Example, QADataset

DECIDING = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "sentence-transformers",
    "faiss-cpu",
    "faiss-gpu",
    "annoy",
    "bm25s",
    "PyStemmer",
    "scikit-learn",
)
LIBRARIES = (*DECIDING, "semantic-text-splitter", "datasets", "numpy", "hydra-core", "mlflow")


def run_id(spec: RunSpec, dataset: QADataset, questions: Sequence[Example]) -> str:
    """16 hex digits, equal only for runs whose results must be equal.

    Paths of models and datasets do not count, their content does; where results are written does not count either.
    Whether the machine has a GPU does, because device=auto means another thing there.
    """
    versions_that_matter = {name: found for name, found in versions().items() if name in DECIDING}
    parts = _by_content({name: to_config(value) for name, value in spec.having(Role.VALUE).items()})
    asked = [example.id for example in questions]
    return sha256_of([parts, dataset.fingerprint, asked, source_sha(), versions_that_matter, has_gpu()])[:16]


def comparison(
    spec: RunSpec,
    dataset: QADataset,
    questions: Sequence[Example],
    generator: Mapping[str, Any],
    exemplars: Sequence[str] = (),
) -> dict[str, Any]:
    """What two runs must share before their numbers may stand in one table.

    Args:
        spec: checked, with the form of the prompt chosen.
        dataset: as its system gets it.
        questions: that are asked.
        generator: its identity.
        exemplars: ids of the solved questions that the prompt shows where the arm is not about them.
    """
    prompt = {name: value for name, value in spec.prompt.to_config().items() if name not in {"style", "n_exemplars"}}
    return {
        "dataset": dataset.counterpart or dataset.fingerprint,
        "dataset_name": dataset.name,
        "base_model": generator["base_model"],
        "dtype": generator.get("dtype"),
        "decoding": sha256_of(generator.get("decoding"))[:12] if generator["base_model"] else None,
        "prompt": sha256_of(prompt)[:12],
        "style": spec.prompt.get("style", "chat"),
        # None: solved questions are what this arm adds.
        "n_exemplars": None if spec.mode.has_exemplars else spec.prompt.get("n_exemplars", 0),
        "exemplars": sha256_of(list(exemplars))[:12] if exemplars else None,
        "prompting": sha256_of(generator["prompting"])[:12] if generator.get("prompting") else None,
        "questions": sha256_of([example.id for example in questions])[:12],
        "primary": f"{GROUP}{spec.metrics.primary}",
        "scorer": sha256_of([spec.metrics.answer, source_sha("score")])[:12],
    }


@cache
def versions() -> Mapping[str, str]:
    """Installed versions of the libraries that rag_eval stands on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git() -> Mapping[str, str | bool | None]:
    """Commit of the checkout that the package runs from, and whether it has changes; None where there is no git."""
    root = Path(__file__).parents[2]

    def ask(*arguments: str) -> str | None:
        try:
            return subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None

    if not (root / ".git").exists():
        return {"commit": None, "dirty": None}
    changes = ask("status", "--porcelain", "--untracked-files=no")
    return {"commit": ask("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def hardware(device: str) -> Mapping[str, str | int]:
    """The machine: kind of device, GPU where one is used, processor, cores."""
    return {
        "device": device,
        **({"gpu": _gpu_name()} if device == "cuda" else {}),
        "cpu": cpu_name(),
        "n_cores": n_cores(),
    }


def _gpu_name() -> str:
    import torch  # loaded long since where a GPU is used

    return torch.cuda.get_device_name()


def _files_sha(path: str) -> str:
    """sha256 over a file, or over the files of a folder by name."""
    top = Path(path)
    files = sorted(file for file in top.rglob("*") if file.is_file()) if top.is_dir() else [top]
    return sha256_of([[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in files])


def _given_by_content(adapter: Mapping[str, Any]) -> dict[str, Any]:
    """The fingerprint of one adapter, or of each of several by name."""
    path, paths = adapter.get("path"), adapter.get("paths") or {}
    return {
        "path": path and model_folder.fingerprint(path),
        "paths": {name: model_folder.fingerprint(folder) for name, folder in paths.items()},
    }


def _by_content(node: Any) -> Any:
    """The node with each model's path replaced by its fingerprint, recorded answers by their hash, caches and states left out."""
    if isinstance(node, Mapping):
        revision = node.get("revision")
        return {
            name: model_folder.fingerprint(value, revision)
            if name in {"model", "adapter", "start"} and isinstance(value, str)
            else {**value, **_given_by_content(value)}
            if name == "adapter" and ("path" in value or "paths" in value)  # trained elsewhere
            else {**value, "path": _files_sha(value["path"])}
            if name == "answers"
            else _by_content(value)
            for name, value in node.items()
            if name not in {"cache", "parent", "checkpoint_every"}
        }
    return [_by_content(value) for value in node] if isinstance(node, list) else node
