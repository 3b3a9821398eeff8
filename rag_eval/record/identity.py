"""What a run is: the hash of everything that decides its result, and the circumstances recorded beside it."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rag_eval.machine import cpu_name, has_gpu, n_cores
from rag_eval.record.content import content_of
from rag_eval.record.facts import Comparison, Git, Hardware
from rag_eval.record.serialize import sha256_of
from rag_eval.run_spec import Part, Role, RunSpec, to_config
from rag_eval.score.primary import GROUP
from rag_eval.source import code_sha
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
RUNNING = ("rag_eval.evaluate", "rag_eval.config.build")  # what every run goes through
SCORING = "rag_eval.score.scorer"
LIBRARIES = (*DECIDING, "semantic-text-splitter", "datasets", "numpy", "hydra-core", "mlflow")


def run_id(spec: RunSpec, dataset: QADataset, questions: Sequence[Example]) -> str:
    """16 hex digits, equal only for runs whose results must be equal.

    What a field of the run is to it says its role. Files and folders that a part names count by their content, whatever they are
    called and wherever they lie. Whether the machine has a GPU counts, because device=auto means another thing there.
    """
    values = spec.having(Role.VALUE)
    deciding = {name: _by_content(value) if isinstance(value, Part) else to_config(value) for name, value in values.items()}
    asked = [example.id for example in questions]
    versions_that_matter = {name: found for name, found in versions().items() if name in DECIDING}
    return sha256_of([deciding, dataset.fingerprint, asked, code_of(spec), versions_that_matter, has_gpu()])[:16]


def code_of(spec: RunSpec) -> str:
    """The identity of the code that decides the result of a run: that of running one, of its parts and of its metrics."""
    deciding = {**spec.having(Role.VALUE), **spec.having(Role.CONTENT)}
    parts = [module for value in deciding.values() if isinstance(value, Part) for module in value.modules()]
    return code_sha(*RUNNING, *parts, *_metric_modules(spec))


def comparison(
    spec: RunSpec,
    dataset: QADataset,
    questions: Sequence[Example],
    generator: Mapping[str, Any],
    exemplars: Sequence[str] = (),
) -> Comparison:
    """What two runs must share before their numbers may stand in one table.

    Args:
        spec: the checked run, with the form of its prompt chosen.
        dataset: the data as the system gets them.
        questions: the questions that are asked.
        generator: identity of the generator.
        exemplars: ids of the solved questions in the prompt; empty if they are what the arm studies.

    Returns:
        Names and hashes; long values are hashed to 12 hexadecimal digits.
    """
    prompt = {name: value for name, value in spec.prompt.to_config().items() if name not in {"style", "n_exemplars"}}
    return Comparison(
        dataset=dataset.counterpart or dataset.fingerprint,
        dataset_name=dataset.name,
        base_model=generator["base_model"],
        dtype=generator.get("dtype"),
        decoding=sha256_of(generator.get("decoding"))[:12] if generator["base_model"] else None,
        prompt=sha256_of(prompt)[:12],
        style=spec.prompt.get("style", "chat"),
        # None: solved questions are what this arm adds.
        n_exemplars=None if spec.mode.has_exemplars else spec.prompt.get("n_exemplars", 0),
        exemplars=sha256_of(list(exemplars))[:12] if exemplars else None,
        prompting=sha256_of(generator["prompting"])[:12] if generator.get("prompting") else None,
        questions=sha256_of([example.id for example in questions])[:12],
        primary=f"{GROUP}{spec.metrics.primary}",
        scorer=sha256_of([spec.metrics.answer, code_sha(SCORING, *_metric_modules(spec))])[:12],
    )


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


def git() -> Git:
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
        return Git()
    changes = ask("status", "--porcelain", "--untracked-files=no")
    return Git(ask("rev-parse", "HEAD"), None if changes is None else bool(changes))


def hardware(device: str) -> Hardware:
    """The machine: kind of device, GPU where one is used, processor, cores."""
    return Hardware(device, cpu_name(), n_cores(), _gpu_name() if device == "cuda" else None)


def _gpu_name() -> str:
    import torch  # loaded long since where a GPU is used

    return torch.cuda.get_device_name()


def _metric_modules(spec: RunSpec) -> list[str]:
    return [target.rpartition(".")[0] for target in (*spec.metrics.answer.values(), *spec.metrics.retrieval.values())]


def _by_content(value: Any) -> Any:
    """A part with the digest of the content in the place of every file or folder that it names; what is one of a few words is none."""
    match value:
        case Part():
            deciding = {name: one for name, one in value.params.items() if name not in value.silent}
            known = {name: one if name in value.closed else _by_content(one) for name, one in deciding.items()}
            return {"_target_": value.target, **known}
        case str() if (digest := content_of(value)) is not None:
            return {"content": digest}
        case Mapping():
            return {name: _by_content(one) for name, one in value.items()}
        case list():
            return [_by_content(one) for one in value]
    return to_config(value)
